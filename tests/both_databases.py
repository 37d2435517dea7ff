"""Which tests run on PostgreSQL too, and a check that they are enough: a plugin of pytest.

`make test` runs every test on SQLite, and on PostgreSQL those marked `both_databases`. Every test that uses
the database has the mark by itself, but for those that drive a browser and those in SQLITE_IS_ENOUGH. So a
new test runs on both.

The check: one database may refuse a query that the other takes, so every place in our code that asks the
database has to be asked on PostgreSQL at least once. The whole run on SQLite notes the places, and fails for
one that no test with the mark has reached.
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
OURS = tuple(f"{ROOT / room}{os.sep}" for room in ("clinic", "patients", "erasure"))

# An attribute that loads a related row by its key. Whether it has to depends on how the test made the object,
# and no database refuses such a query.
RELATIONS = related_descriptors.__file__

# Files, and what their tests are about instead of the database. None of them starts threads, meets a
# constraint or asks which database there is (tests/test_both_databases.py). A test in them may have the mark.
SQLITE_IS_ENOUGH = {
    "tests/clinic/access/test_matrix.py": "the access policy",
    "tests/clinic/style/test_style.py": "the style guide's page",
    "tests/erasure/certificates/test_log_export.py": "files that a program checks far from the database",
    "tests/erasure/certificates/test_pdf.py": "PDF",
    "tests/erasure/certificates/test_public.py": "pages about a certificate",
    "tests/erasure/certificates/test_verify_certificate.py": "a program without a database",
    "tests/erasure/session/test_replay.py": "pages about a run that is over",
    "tests/erasure/test_bucket.py": "a bucket that holds the vault",
    "tests/patients/keepsakes/test_plaintext.py": "the temporary files of an upload",
    "tests/patients/keepsakes/test_upload_kinds.py": "decoders",
}

# Places as "file:line", each with a test that reaches it, by whether that test has the mark.
REACHED: dict[bool, dict[str, str]] = {True: {}, False: {}}
_running: list[tuple[str, bool]] = []  # the test of this process, and whether it has the mark


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests before pytest chooses by their marks."""
    for item in items:
        uses_database = item.get_closest_marker("django_db") and not item.get_closest_marker("browser")
        enough = item.path.relative_to(ROOT).as_posix() in SQLITE_IS_ENOUGH
        # Without the mark, a test that is only for PostgreSQL would run nowhere.
        if item.get_closest_marker("only_on") or (uses_database and not enough):
            item.add_marker("both_databases")


def note(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: dict[str, Any]) -> Any:
    """Note the place in our code that this query comes from, and run it."""
    frame = sys._getframe(1)
    while frame is not None and not frame.f_code.co_filename.startswith(OURS):
        if frame.f_code.co_filename == RELATIONS:
            return execute(sql, params, many, context)
        frame = frame.f_back  # type: ignore[assignment]
    if frame is not None and _running:
        test, marked = _running[-1]
        path = Path(frame.f_code.co_filename).relative_to(ROOT)
        if "migrations" not in path.parts:  # whichever test is the first has them run, and each half has one
            REACHED[marked].setdefault(f"{path}:{frame.f_lineno}", test)
    return execute(sql, params, many, context)


def watch(connection: BaseDatabaseWrapper, **_signal: Any) -> None:
    """Have `note` see every query of a connection, whatever thread it belongs to."""
    if note not in connection.execute_wrappers:
        connection.execute_wrappers.append(note)


def missed() -> dict[str, str]:
    """Places that only tests without the mark have reached, each with one of them."""
    return {place: test for place, test in REACHED[False].items() if place not in REACHED[True]}


def is_whole_run(config: pytest.Config) -> bool:
    """Whether this is a run of every test on SQLite, as `make test` begins. Asked where no worker is."""
    return (
        connection.vendor == "sqlite"
        and config.args_source is pytest.Config.ArgsSource.TESTPATHS
        and config.option.markexpr == "not torture"
        and not config.option.keyword
        and not config.getoption("lf", False)
    )


@pytest.hookimpl(optionalhook=True)  # of pytest-xdist
def pytest_configure_node(node: WorkerController) -> None:
    """Tell the workers of pytest-xdist whether they are part of a whole run."""
    node.workerinput["whole_run"] = is_whole_run(node.config)


def pytest_sessionstart(session: pytest.Session) -> None:
    config = session.config
    if config.workerinput["whole_run"] if hasattr(config, "workerinput") else is_whole_run(config):
        connection_created.connect(watch)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    _running[:] = [(item.nodeid, item.get_closest_marker("both_databases") is not None)]


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: WorkerController) -> None:
    """Take over what a worker has noted."""
    for marked, places in getattr(node, "workeroutput", {}).get("places", []):
        REACHED[marked] |= places


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Hand over what was noted, as a worker; elsewhere fail a run that passed but leaves a place out."""
    config = session.config
    if hasattr(config, "workeroutput"):
        config.workeroutput["places"] = list(REACHED.items())
    elif exitstatus == pytest.ExitCode.OK and is_whole_run(config) and missed():
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if not hasattr(config, "workerinput") and is_whole_run(config) and (places := missed()):
        terminalreporter.section("asked on SQLite alone: no test marked both_databases comes here")
        for place, test in sorted(places.items()):
            terminalreporter.line(f"{place}  reached by {test}")
