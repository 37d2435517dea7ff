"""The summary of `make test`: results and time of each run, and skipped tests by reason."""

import os
import subprocess
import sys
from pathlib import Path

from tests.processes import ROOT
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


def test_each_skip_reason_is_printed_once_with_its_count() -> None:
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


def test_the_report_says_if_nothing_was_skipped() -> None:
    runs = [{"name": "SQLite", "seconds": 3, "results": {"passed": 1, "failed": 0}, "skipped": {}}]
    assert lines(runs) == ["SQLite: 1 passed in 0 min 3 s", "Nothing was skipped."]
    assert lines([]) == ["Nothing was run."]


def run_pytest(report: Path, suite: Path, *options: str) -> None:
    """Run pytest on `suite`, with the directory `report` as LACUNA_TEST_REPORT."""
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


def test_parallel_runs_and_repeated_runs_are_reported_together(tmp_path: Path) -> None:
    report, suite = tmp_path / "report", tmp_path / "suite"
    report.mkdir()
    suite.mkdir()
    (suite / "pytest.ini").touch()
    (suite / "conftest.py").write_text("from tests.report import *\n")
    (suite / "test_it.py").write_text(SUITE)
    run_pytest(report, suite, "-n", "2")
    run_pytest(report, suite, "--last-failed")
    printed = subprocess.run(  # noqa: S603 - our own words
        [sys.executable, "-m", "tests.report", str(report)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    first, repeated, *rest = printed[1:]
    assert first.startswith("SQLite: 1 passed, 1 failed, 4 skipped in 0 min ")
    assert repeated.startswith("SQLite, what had failed, again: 1 failed in 0 min ")
    assert rest == ["Skipped:", "    3  no such thing here", "    1  another reason"]
