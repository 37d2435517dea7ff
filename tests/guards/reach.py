"""Which test reaches which guard: measured by running every test once, stored in a file that git ignores.

A test is measured again if its file has changed, or if there is a new guard that it may reach.
"""

import json
from collections.abc import Callable, Container, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.guards.guard import Guard
from tests.guards.packages import ROOT, package_of
from tests.guards.texts import digest, file_digest
from tests.guards.workers import Answer, Worker, work

AT_ONCE = 20  # tests in one job
# Every test reaches some guards. Such a guard is judged by the likeliest tests only: at most MOST_TESTS, and
# at most MOST_SECONDS in all, but at least LEAST_TESTS.
MOST_TESTS, MOST_SECONDS, LEAST_TESTS = 150, 60.0, 10


@dataclass(frozen=True)
class Measured:
    """One test: its outcome, how long it took, and which guards it reached."""

    file: str  # digest of the test's file
    guard_list: str  # name of the list of guards that existed then
    outcome: str
    seconds: float
    reached: frozenset[str]
    why: str = ""  # the end of the failure's message

    @property
    def sound(self) -> bool:
        return self.outcome in {"passed", "skipped"}


class Reach:
    """The measurements, read from a file of JSON lines to which new ones are appended.

    guard_lists: the keys of the guards that existed at some measurement, by the list's name.
    """

    def __init__(self, path: Path, root: Path = ROOT) -> None:
        self.path, self.root = path, root
        self.guard_lists: dict[str, list[str]] = {}
        self.tests: dict[str, Measured] = {}
        if path.exists():
            for line in path.read_text().splitlines():
                self._read_row(json.loads(line))

    def _read_row(self, row: dict[str, object]) -> None:
        if "keys" in row:
            self.guard_lists[str(row["known"])] = list(row["keys"])  # type: ignore[call-overload]
        else:
            keys = self.guard_lists[str(row["known"])]
            self.tests[str(row["test"])] = Measured(
                str(row["file"]),
                str(row["known"]),
                str(row["outcome"]),
                float(str(row["seconds"])),
                frozenset(keys[number] for number in row["reached"]),  # type: ignore[attr-defined]
                str(row.get("why", "")),
            )

    def _write(self, rows: Iterable[dict[str, object]]) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a") as file:
            for row in rows:
                file.write(json.dumps(row) + "\n")
                self._read_row(row)

    def store_guards(self, guards: Sequence[Guard]) -> str:
        """Store the list of guards, so that rows can name a guard by its index. Returns the list's name."""
        keys = [guard.key for guard in guards]
        name = digest(keys)
        if name not in self.guard_lists:
            self._write([{"known": name, "keys": keys}])
        return name

    def missing(self, tests: Iterable[str], guards: Sequence[Guard]) -> list[str]:
        """Tests to measure: new, in a changed file, failed, or near a guard that did not exist then."""
        unknown = {
            name: [guard for guard in guards if guard.key not in set(keys)]
            for name, keys in self.guard_lists.items()
        }
        found = []
        for test in tests:
            last = self.tests.get(test)
            file = file_digest(self.root / test.partition("::")[0])
            if last is None or last.file != file or not last.sound:
                found.append(test)
                continue
            if any(self._near(guard, test, last) for guard in unknown[last.guard_list]):
                found.append(test)
        return found

    def _near(self, guard: Guard, test: str, last: Measured) -> bool:
        """Whether a test may reach a new guard: it tests its package, or it reached its function.

        If the function had no guard at the last measurement, reaching any guard of its file is enough.
        """
        prefix = f"{guard.path}::{guard.function}::"
        if not any(key.startswith(prefix) for key in self.guard_lists[last.guard_list]):
            prefix = f"{guard.path}::"
        return mirrors(test, guard.path) or any(key.startswith(prefix) for key in last.reached)

    def measure(
        self,
        workers: Sequence[Worker],
        tests: Sequence[str],
        guards: Sequence[Guard],
        add_progress: Callable[[int], None],
        at_once: int = AT_ONCE,
    ) -> None:
        """Run tests with every guard in place, and store which guards each reaches."""
        guard_list = self.store_guards(guards)
        jobs = [tests[start : start + at_once] for start in range(0, len(tests), at_once)]

        def run(worker: Worker, job: Sequence[str]) -> list[Answer]:
            answers = []
            left = list(job)
            while left:  # a test that hangs ends its job
                answers.append(worker.run(left))
                ran = {result.test for result in answers[-1].results}
                left = [test for test in left if test not in ran] if ran else []
            return answers

        for job, answers in work(workers, run, jobs):
            for answer in answers:
                self._write(
                    {
                        "test": result.test,
                        "file": file_digest(self.root / result.test.partition("::")[0]),
                        "known": guard_list,
                        "outcome": result.outcome,
                        "seconds": result.seconds,
                        "reached": answer.reached.get(result.test, []),
                        "why": result.why[-500:],
                    }
                    for result in answer.results
                )
            add_progress(len(job))

    def tests_of(self, guard: Guard) -> list[str]:
        """The tests that reach a guard and pass with it in place, the likeliest to notice it first."""
        found = [
            test
            for test, measured in self.tests.items()
            if measured.outcome == "passed" and guard.key in measured.reached
        ]

        def sort_key(test: str) -> tuple[bool, bool, int, float]:
            measured = self.tests[test]
            return (
                not mirrors(test, guard.path),
                measured.seconds > 5,
                len(measured.reached),
                measured.seconds,
            )

        return sorted(found, key=sort_key)

    def likeliest(self, guard: Guard, among: Container[str]) -> list[str]:
        """The tests that judge a guard: all that reach it, or the likeliest if they are many."""
        chosen: list[str] = []
        seconds = 0.0
        for test in self.tests_of(guard):
            if test in among and len(chosen) < MOST_TESTS:
                seconds += self.tests[test].seconds
                if seconds > MOST_SECONDS and len(chosen) >= LEAST_TESTS:
                    break
                chosen.append(test)
        return chosen


def mirrors(test: str, path: str) -> bool:
    """Whether a test is in the directory of tests for a file's package."""
    package = package_of(path)
    return bool(package) and test.startswith(f"tests/{package}/")
