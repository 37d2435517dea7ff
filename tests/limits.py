"""A pytest plugin: time limits for tests, and temporary files in memory.

pytest-timeout ends a test by a signal. The exception is raised in the test's main thread, so the fixtures
still end the processes, threads and browsers that they started. If the fixtures hang too, or the main thread
is in C code that does not return, the whole process ends AFTER seconds later. pytest-xdist then reports the
test as failed and goes on with another process.
"""

import faulthandler
import os
import shutil
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import hypothesis
import pytest
from pytest_timeout import Settings

from tests.stash import HAS_DATABASE

# Seconds by marker, generous enough for a busy machine. Other tests have the default of pyproject.toml.
LIMITS = {
    "processes": 300,  # starts processes one after another, each of which takes seconds to start
    "browser": 300,  # starts a server and Chromium, and looks at several pages
    "migrations": 300,  # undoes migrations and applies them again, which takes three quarters of a minute
    "torture": 1800,  # repeats one run, and fails or kills it at each of its writes
}
# The first test of a process that needs the database waits until the migrations have run, in this process or
# another: half a minute on a quiet machine. If that is cut off, every later test of the process fails.
DATABASE = 600  # seconds more for the setup of each test before there is a database
AFTER = 60  # seconds after the test's limit that its fixtures have to end
MEMORY = Path("/dev/shm")  # noqa: S108 - pytest makes a directory of its own in it, for this user alone
ROOM = 1024**3  # bytes that must be free there; the whole suite uses a third of this
TRACES = pytest.StashKey[int]()  # a descriptor of the real standard error, which pytest does not capture


def pytest_configure(config: pytest.Config) -> None:
    """Put temporary directories in memory if there is room: this saves thousands of waits for the disk.

    What a killed process wrote stays readable, in memory as on a disk. Only a power failure makes a
    difference; tests/patients/vault/test_powerloss.py simulates it.
    """
    with suppress(OSError):
        if os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free >= ROOM:
            os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY))
    config.addinivalue_line("markers", "long: has a longer time limit of its own; `make quick` leaves it out")
    config.stash[TRACES] = os.dup(2)
    # No limit for one Hypothesis example, which may wait for a busy machine; the whole test has its limit.
    hypothesis.settings.register_profile("no-deadline", parent=hypothesis.settings(), deadline=None)
    hypothesis.settings.load_profile("no-deadline")


@pytest.hookimpl(tryfirst=True)  # before `-m` selects
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark tests that have a longer limit of their own as `long`, and give others that of their markers."""
    usual = float(config.getini("timeout") or 0)
    for item in items:
        if "schema" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.migrations)
        own = item.get_closest_marker("timeout")
        if own and float(own.args[0]) > usual:
            item.add_marker(pytest.mark.long)
        longer = [seconds for marker, seconds in LIMITS.items() if item.get_closest_marker(marker)]
        if longer and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(max(longer)))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """After the test, cancel the end of the process that its phases have scheduled."""
    try:
        return (yield)
    finally:
        faulthandler.cancel_dump_traceback_later()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None, object, object]:
    """Limit the setup; pytest-timeout limits the test function only (`timeout_func_only`).

    Its default, one limit for setup, test and teardown, could expire while pytest-xdist sends a report. The
    exception would then end the whole test run.
    """
    with _limited(item, 0 if item.config.stash.get(HAS_DATABASE, False) else DATABASE):
        return (yield)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> None:
    _end_process_after(item, limit(item))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None, object, object]:
    """Limit the teardown."""
    with _limited(item):
        return (yield)


@contextmanager
def _limited(item: pytest.Item, more: float = 0) -> Iterator[None]:
    """Apply the test's limit and `more` seconds to the block, by pytest-timeout's timer."""
    seconds = limit(item) + more
    _end_process_after(item, seconds)
    hook = item.config.pluginmanager.hook
    hook.pytest_timeout_set_timer(item=item, settings=Settings(seconds, "signal", False, False))
    try:
        yield
    finally:
        hook.pytest_timeout_cancel_timer(item=item)


def limit(item: pytest.Item) -> float:
    """Seconds that each of a test's setup, call and teardown may last, as pytest-timeout reads them."""
    marker = item.get_closest_marker("timeout")
    if marker:
        return float(marker.args[0])
    config = item.config
    configured = config.getoption("timeout") or os.environ.get("PYTEST_TIMEOUT") or config.getini("timeout")
    return float(configured)


def _end_process_after(item: pytest.Item, seconds: float) -> None:
    """Schedule the end of this process, with a traceback of all threads, unless it is cancelled in time."""
    faulthandler.dump_traceback_later(seconds + AFTER, exit=True, file=item.config.stash[TRACES])
