"""A pytest plugin for the last lines of `make test`: each run's results and time, and why tests were skipped.

If LACUNA_TEST_REPORT names a directory, every pytest run writes a file there.
`python -m tests.report DIRECTORY` prints a summary of all of them.
"""

import json
import os
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

NAMES = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}
RESULTS = ("passed", "failed", "error", "skipped")


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_BEGAN] = time.monotonic()


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Write the results of this run. Only in xdist's main process, which has the results of all workers."""
    directory = os.environ.get("LACUNA_TEST_REPORT")
    if directory and not hasattr(config, "workerinput"):
        stats = terminalreporter.stats
        repeated = ", what had failed, again" if config.getoption("lf") else ""
        results = {
            "name": NAMES[connection.vendor] + repeated,
            "seconds": time.monotonic() - config.stash[_BEGAN],
            "results": {result: len(stats.get(result, [])) for result in RESULTS},
            "skipped": Counter(reason_of(report.longrepr) for report in stats.get("skipped", [])),
        }
        file = Path(directory) / f"{len(list(Path(directory).glob('*.json')))}.json"
        file.write_text(json.dumps(results))


_BEGAN = pytest.StashKey[float]()


def reason_of(longrepr: Any) -> str:
    """The reason of a skipped test. longrepr: pytest's tuple (file, line, "Skipped: reason"), or a text."""
    reason = str(longrepr[2] if isinstance(longrepr, tuple | list) else longrepr)
    return reason.removeprefix("Skipped: ")


def lines(runs: list[dict[str, Any]]) -> list[str]:
    """The lines of the report on these runs. Skipped tests are counted by reason, over all runs."""
    report = []
    for run in runs:
        results = ", ".join(f"{count} {result}" for result, count in run["results"].items() if count)
        minutes, seconds = divmod(round(run["seconds"]), 60)
        report.append(f"{run['name']}: {results or 'no test'} in {minutes} min {seconds} s")
    if not runs:
        return ["Nothing was run."]
    skipped: Counter[str] = Counter()
    for run in runs:
        skipped.update(run["skipped"])
    if not skipped:
        return [*report, "Nothing was skipped."]
    return [*report, "Skipped:", *(f"{count:5}  {reason}" for reason, count in skipped.most_common())]


def main(directory: Path) -> None:
    files = sorted(directory.glob("*.json"), key=lambda file: int(file.stem))
    print("\n".join(["", *lines([json.loads(file.read_text()) for file in files])]))  # noqa: T201


if __name__ == "__main__":
    main(Path(sys.argv[1]))
