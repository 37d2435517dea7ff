"""How long a test may take, and where what it writes lies: a plugin of pytest.

pytest-timeout ends a test by a signal: the exception is raised in the test's main thread, so its fixtures
still end the processes, threads and browsers that it started. A test whose fixtures hang too, or whose main
thread is in C code that does not return, gets no further than AFTER: the process ends, and pytest-xdist
reports the test as failed and goes on with another process.
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

# seconds by marker, for a machine on which as many others work; the rest has the default of pyproject.toml
LIMITS = {
    "processes": 300,  # starts processes one after another, each of which takes seconds to start
    "browser": 300,  # starts a server and Chromium, and looks at several pages
    "torture": 1800,  # one night again and again, failed or killed at its every write
}
AFTER = 60  # seconds the fixtures have to end once a test was told to
MEMORY = Path("/dev/shm")  # noqa: S108 - pytest makes a directory of its own in it, for this user alone
ROOM = 1024**3  # bytes that must be free there: a whole run takes a third of it
TRACES = pytest.StashKey[int]()  # a descriptor of the real standard error, which no test's capture holds


def pytest_configure(config: pytest.Config) -> None:
    """Let temporary directories be in memory, where there is room: thousands of waits for a disk are spared.

    What a killed process wrote is there for the next one on a disk and in memory alike. Only where the power
    fails does the disk count, and tests/patients/vault/test_powerloss.py has that.
    """
    with suppress(OSError):
        if os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free >= ROOM:
            os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY))
    config.stash[TRACES] = os.dup(2)
    # One example may wait for another process on a busy machine; the whole test has its limit.
    hypothesis.settings.register_profile("no-deadline", parent=hypothesis.settings(), deadline=None)
    hypothesis.settings.load_profile("no-deadline")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give each test the longest limit that its markers have, unless it names one itself."""
    for item in items:
        longer = [seconds for marker, seconds in LIMITS.items() if item.get_closest_marker(marker)]
        if longer and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(max(longer)))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Take the end of the process back that the phases of the test have set."""
    try:
        return (yield)
    finally:
        faulthandler.cancel_dump_traceback_later()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None, object, object]:
    """Limit the setup. pytest-timeout limits the call alone (`timeout_func_only`).

    A limit on the whole, as it has by default, may be over while pytest-xdist sends a report: the exception
    then ends the run instead of the test.
    """
    with _limited(item):
        return (yield)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> None:
    _end_process_after(item)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None, object, object]:
    """Limit the end of the fixtures."""
    with _limited(item):
        return (yield)


@contextmanager
def _limited(item: pytest.Item) -> Iterator[None]:
    """Have pytest-timeout end what is done here after the limit of the test."""
    _end_process_after(item)
    hook = item.config.pluginmanager.hook
    hook.pytest_timeout_set_timer(item=item, settings=Settings(limit(item), "signal", False, False))
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
    asked = config.getoption("timeout") or os.environ.get("PYTEST_TIMEOUT") or config.getini("timeout")
    return float(asked)


def _end_process_after(item: pytest.Item) -> None:
    """End this process, and write where its threads are, if it is not told otherwise in time."""
    faulthandler.dump_traceback_later(limit(item) + AFTER, exit=True, file=item.config.stash[TRACES])
