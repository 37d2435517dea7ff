"""A test that hangs is ended, with its fixtures, and the tests after it run."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.processes import ROOT
from tests.stash import HAS_DATABASE

HANGING = """
    import signal, subprocess, sys, threading, time
    import pytest
    from tests import limits

    limits.AFTER = 1

    @pytest.fixture
    def started():
        process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        yield process
        process.kill()
        print("ended with", process.wait())

    @pytest.fixture
    def hanging():
        yield
        time.sleep(600)

    def test_waits_for_a_process(started):
        started.wait()

    def test_waits_for_a_thread():
        thread = threading.Thread(target=time.sleep, args=(600,), daemon=True)
        thread.start()
        thread.join()

    def test_has_a_fixture_that_does_not_end(hanging):
        time.sleep(600)

    def test_ends():
        pass

    def test_hears_no_signal():
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM})
        time.sleep(600)
"""


def run(directory: Path, *chosen: str, tests: str = HANGING) -> "subprocess.CompletedProcess[str]":
    """Run `tests` with a limit of one second, in a process of its own."""
    indented = re.sub("^    ", "", tests, flags=re.MULTILINE)
    (directory / "test_hanging.py").write_text(indented)
    (directory / "pytest.ini").write_text("[pytest]\ntimeout = 1\ntimeout_func_only = true\n")
    plugins = ["-p", "tests.limits", "-p", "no:django", "-p", "no:randomly", "-p", "no:xdist"]
    return subprocess.run(  # noqa: S603 - our own command line
        [sys.executable, "-m", "pytest", "-rA", *plugins, *chosen],
        cwd=directory,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=50,
    )


def test_a_hung_test_is_ended_with_its_fixtures_and_the_next_one_runs(tmp_path: Path) -> None:
    ended = run(tmp_path, "-k", "not hears_no_signal")
    results = re.findall(r"^(PASSED|FAILED|ERROR) test_hanging\.py::(\w+)", ended.stdout, re.MULTILINE)
    assert sorted(results) == [
        ("ERROR", "test_has_a_fixture_that_does_not_end"),
        ("FAILED", "test_has_a_fixture_that_does_not_end"),
        ("FAILED", "test_waits_for_a_process"),
        ("FAILED", "test_waits_for_a_thread"),
        ("PASSED", "test_ends"),
    ], ended.stdout + ended.stderr
    assert "ended with -9" in ended.stdout
    assert ended.stdout.count("Timeout (>1.0s) from pytest-timeout") >= 4


def test_only_until_there_is_a_database_a_setup_has_the_time_of_the_migrations(
    transactional_db: None, pytestconfig: pytest.Config, tmp_path: Path
) -> None:
    assert pytestconfig.stash[HAS_DATABASE]
    (tmp_path / "conftest.py").write_text(
        "from tests import limits, stash\n"
        "limits.DATABASE = 3\n"
        "import pytest, time\n"
        "@pytest.fixture\n"
        "def database(pytestconfig):\n"
        "    time.sleep(1.5)\n"
        "    pytestconfig.stash[stash.HAS_DATABASE] = True\n"
    )
    ended = run(
        tmp_path,
        tests="""
    def test_first(database):
        pass

    def test_second(database):
        pass
    """,
    )
    results = re.findall(r"^(PASSED|ERROR) test_hanging\.py::(\w+)", ended.stdout, re.MULTILINE)
    assert results == [("PASSED", "test_first"), ("ERROR", "test_second")], ended.stdout + ended.stderr


def test_a_process_that_no_signal_reaches_is_ended(tmp_path: Path) -> None:
    ended = run(tmp_path, "-k", "hears_no_signal")
    assert ended.returncode == 1
    assert "Timeout (0:00:02)!" in ended.stderr
    assert "test_hears_no_signal" in ended.stderr
