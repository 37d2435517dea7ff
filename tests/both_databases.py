"""A pytest plugin that decides which tests run on PostgreSQL too, and checks that they are enough.

`make test` runs every test on SQLite, and those marked `both_databases` again on PostgreSQL. This plugin
marks every test that uses the database, by its own mark or by a fixture, except browser tests and those in
SQLITE_IS_ENOUGH. So a new test runs on both by default.

The check: PostgreSQL may refuse a query that SQLite accepts, so every line of our code that queries the
database has to run on PostgreSQL at least once. The full run on SQLite records these lines, and fails if no
marked test has reached one of them.
"""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created
from django.db.models.fields import related_descriptors
from xdist.workermanage import WorkerController

ROOT = Path(__file__).resolve().parents[1]
OUR_CODE = tuple(f"{ROOT / app}{os.sep}" for app in ("clinic", "patients", "erasure"))

# Django's code for attributes that load a related row by its key. These queries are not recorded: whether one
# is needed depends on how the test created the object, and no database refuses it.
RELATIONS = related_descriptors.__file__

# Test files that run only on SQLite, and what they test instead of the database. They start no threads, rely
# on no constraint and do not ask which database is used (tests/test_both_databases.py checks this). A single
# test in them may still have the mark.
SQLITE_IS_ENOUGH = {
    "tests/clinic/access/test_matrix.py": "the access policy",
    "tests/clinic/access/test_shown.py": "what pages show to whom",
    "tests/clinic/style/test_style.py": "the style guide's page",
    "tests/erasure/certificates/test_log_export.py": "files that a program checks far from the database",
    "tests/erasure/certificates/test_pdf.py": "PDF",
    "tests/erasure/certificates/test_public.py": "pages about a certificate",
    "tests/erasure/certificates/test_verify_certificate.py": "a program without a database",
    "tests/erasure/session/test_replay.py": "pages about a run that is over",
    "tests/erasure/test_status_walk.py": "that the pages agree with each other",
    "tests/erasure/test_bucket.py": "a bucket that holds the vault",
    "tests/patients/keepsakes/test_plaintext.py": "the temporary files of an upload",
    "tests/patients/keepsakes/test_upload_kinds.py": "decoders",
}

# The fixtures of pytest-django that open the database. A test may get one by another fixture.
FIXTURES = {"db", "transactional_db", "django_db_reset_sequences", "django_db_serialized_rollback"}

# How the full run ends if a line was missed. pytest has 0 to 5. After 1 `make test` repeats the tests that
# failed, and none has failed here.
MISSED = 10

# By whether the test has the mark: lines as "file:line", each with one test that reaches it.
REACHED: dict[bool, dict[str, str]] = {True: {}, False: {}}
_running: list[tuple[str, bool]] = []  # the test that this process runs, and whether it has the mark


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Add the mark before pytest selects tests by marks (`-m`)."""
    for item in items:
        uses_database = not item.get_closest_marker("browser") and (
            item.get_closest_marker("django_db") or not FIXTURES.isdisjoint(getattr(item, "fixturenames", ()))
        )
        enough = item.path.relative_to(ROOT).as_posix() in SQLITE_IS_ENOUGH
        # Without the mark, a test that is only for PostgreSQL would run nowhere.
        if item.get_closest_marker("only_on") or (uses_database and not enough):
            item.add_marker("both_databases")


def record_query(
    execute: Callable[..., Any], sql: str, params: Any, many: bool, context: dict[str, Any]
) -> Any:
    """An execute wrapper: record the line of our code that this query comes from, and run the query."""
    frame = sys._getframe(1)
    while frame is not None and not frame.f_code.co_filename.startswith(OUR_CODE):
        if frame.f_code.co_filename == RELATIONS:
            return execute(sql, params, many, context)
        frame = frame.f_back  # type: ignore[assignment]
    if frame is not None and _running:
        test, marked = _running[-1]
        path = Path(frame.f_code.co_filename).relative_to(ROOT)
        if "migrations" not in path.parts:  # migrations run on both databases anyway
            REACHED[marked].setdefault(f"{path}:{frame.f_lineno}", test)
    return execute(sql, params, many, context)


def record_queries_of(connection: BaseDatabaseWrapper, **_signal: Any) -> None:
    """Signal receiver: record the queries of each new connection, in whatever thread."""
    if record_query not in connection.execute_wrappers:
        connection.execute_wrappers.append(record_query)


def missed_lines() -> dict[str, str]:
    """Lines that only tests without the mark have reached, each with one such test."""
    return {place: test for place, test in REACHED[False].items() if place not in REACHED[True]}


def is_whole_run(config: pytest.Config) -> bool:
    """Whether this is the full run on SQLite, the first of `make test`. Not to be called in xdist workers."""
    return (
        connection.vendor == "sqlite"
        and config.args_source is pytest.Config.ArgsSource.TESTPATHS
        and config.option.markexpr == "not torture"
        and not config.option.keyword
        and not config.getoption("lf", False)
    )


@pytest.hookimpl(optionalhook=True)  # of pytest-xdist
def pytest_configure_node(node: WorkerController) -> None:
    """Tell each xdist worker whether it is part of a full run."""
    node.workerinput["whole_run"] = is_whole_run(node.config)


def pytest_sessionstart(session: pytest.Session) -> None:
    config = session.config
    is_worker = hasattr(config, "workerinput")
    whole_run = config.workerinput["whole_run"] if is_worker else is_whole_run(config)
    if whole_run:
        connection_created.connect(record_queries_of)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    _running[:] = [(item.nodeid, item.get_closest_marker("both_databases") is not None)]


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: WorkerController) -> None:
    """Add the lines that a worker has recorded."""
    for marked, places in getattr(node, "workeroutput", {}).get("places", []):
        REACHED[marked] |= places


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """In a worker, hand over the recorded lines. In the main process, fail the run if one was missed."""
    config = session.config
    if hasattr(config, "workeroutput"):
        config.workeroutput["places"] = list(REACHED.items())
    elif exitstatus == pytest.ExitCode.OK and is_whole_run(config) and missed_lines():
        session.exitstatus = MISSED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if not hasattr(config, "workerinput") and is_whole_run(config) and (places := missed_lines()):
        terminalreporter.section("queries that no test marked both_databases reaches")
        for place, test in sorted(places.items()):
            terminalreporter.line(f"{place}  reached by {test}")
