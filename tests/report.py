"""The last lines of `make test`: how long each half took, and what was skipped, once, by reason.

While LACUNA_TEST_REPORT names a directory, every pytest leaves a file there, and
`python -m tests.report DIRECTORY` prints them all.
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
    """Leave what this run came to: where the results come together, not in each of xdist's processes."""
    directory = os.environ.get("LACUNA_TEST_REPORT")
    if directory and not hasattr(config, "workerinput"):
        stats = terminalreporter.stats
        again = ", what had failed, again" if config.getoption("lf") else ""
        made = {
            "name": NAMES[connection.vendor] + again,
            "seconds": time.monotonic() - config.stash[_BEGAN],
            "results": {result: len(stats.get(result, [])) for result in RESULTS},
            "skipped": Counter(reason_of(report.longrepr) for report in stats.get("skipped", [])),
        }
        file = Path(directory) / f"{len(list(Path(directory).glob('*.json')))}.json"
        file.write_text(json.dumps(made))


_BEGAN = pytest.StashKey[float]()


def reason_of(longrepr: Any) -> str:
    """The reason that a skipped test gives, of pytest's (file, line, "Skipped: reason")."""
    reason = str(longrepr[2] if isinstance(longrepr, tuple | list) else longrepr)
    return reason.removeprefix("Skipped: ")


def lines(runs: list[dict[str, Any]]) -> list[str]:
    """The report of several runs."""
    told = []
    for run in runs:
        results = ", ".join(f"{count} {result}" for result, count in run["results"].items() if count)
        minutes, seconds = divmod(round(run["seconds"]), 60)
        told.append(f"{run['name']}: {results or 'no test'} in {minutes} min {seconds} s")
    if not runs:
        return ["Nothing was run."]
    skipped: Counter[str] = Counter()
    for run in runs:
        skipped.update(run["skipped"])
    if not skipped:
        return [*told, "Nothing was skipped."]
    return [*told, "Skipped:", *(f"{count:5}  {reason}" for reason, count in skipped.most_common())]


def main(directory: Path) -> None:
    files = sorted(directory.glob("*.json"), key=lambda file: int(file.stem))
    print("\n".join(["", *lines([json.loads(file.read_text()) for file in files])]))  # noqa: T201


if __name__ == "__main__":
    main(Path(sys.argv[1]))
