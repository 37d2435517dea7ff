"""The last lines of a run: each half with its time, and what was skipped, by reason."""

import os
import subprocess
import sys
from pathlib import Path

from tests.house import ROOT
from tests.report import lines

SUITE = """
import pytest

@pytest.mark.parametrize("number", range(3))
def test_skips(number):
    pytest.skip("no such thing here")

@pytest.mark.skipif(True, reason="another reason")
def test_is_skipped():
    pass

def test_passes():
    pass

def test_fails():
    assert False
"""


def results(passed: int, skipped: int) -> dict[str, int]:
    return {"passed": passed, "skipped": skipped, "failed": 0}


def test_reasons_are_told_once_with_their_number() -> None:
    runs = [
        {
            "name": "SQLite",
            "seconds": 482.4,
            "results": {"passed": 9, "skipped": 2},
            "skipped": {"a": 1, "b": 1},
        },
        {"name": "PostgreSQL", "seconds": 59.6, "results": {"passed": 7, "skipped": 1}, "skipped": {"b": 1}},
    ]
    assert lines(runs) == [
        "SQLite: 9 passed, 2 skipped in 8 min 2 s",
        "PostgreSQL: 7 passed, 1 skipped in 1 min 0 s",
        "Skipped:",
        "    2  b",
        "    1  a",
    ]


def test_it_is_said_that_nothing_was_skipped() -> None:
    runs = [{"name": "SQLite", "seconds": 3, "results": {"passed": 1, "failed": 0}, "skipped": {}}]
    assert lines(runs) == ["SQLite: 1 passed in 0 min 3 s", "Nothing was skipped."]
    assert lines([]) == ["Nothing was run."]


def pytest_leaves(report: Path, suite: Path, *options: str) -> None:
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-c",
        str(suite / "pytest.ini"),
        *options,
    ]
    subprocess.run(  # noqa: S603 - our own words
        [*command, "-o", f"cache_dir={report / 'cache'}", str(suite)],
        cwd=ROOT,
        env={
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "clinic.settings",
            "LACUNA_DATABASE": "sqlite:///:memory:",
            "LACUNA_TEST_REPORT": str(report),
        },
        capture_output=True,
        check=False,
    )


def test_what_pytest_ran_in_several_processes_and_again_is_told_together(tmp_path: Path) -> None:
    report, suite = tmp_path / "report", tmp_path / "suite"
    report.mkdir()
    suite.mkdir()
    (suite / "pytest.ini").touch()
    (suite / "conftest.py").write_text("from tests.report import *\n")
    (suite / "test_it.py").write_text(SUITE)
    pytest_leaves(report, suite, "-n", "2")
    pytest_leaves(report, suite, "--last-failed")
    told = subprocess.run(  # noqa: S603 - our own words
        [sys.executable, "-m", "tests.report", str(report)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    first, again, *rest = told[1:]
    assert first.startswith("SQLite: 1 passed, 1 failed, 4 skipped in 0 min ")
    assert again.startswith("SQLite, what had failed, again: 1 failed in 0 min ")
    assert rest == ["Skipped:", "    3  no such thing here", "    1  another reason"]
