"""Which test gets to which guard: measured by running every test once, kept in a file that git ignores.

A test whose file has changed is measured again. So are the tests near a guard that was not known then.
"""

import json
from collections.abc import Callable, Container, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.guards.guard import Guard
from tests.guards.packages import ROOT, package_of
from tests.guards.texts import digest, file_digest
from tests.guards.workers import Answer, Worker, work

AT_ONCE = 20  # tests in one order
# Code that every test goes through is not judged by every test: the likeliest so many, of so many seconds.
MOST_TESTS, MOST_SECONDS, LEAST_TESTS = 150, 60.0, 10


@dataclass(frozen=True)
class Measured:
    """One test: how it went, how long it took, which guards it gets to, of which it was measured."""

    file: str  # digest of the test's file
    known: str
    outcome: str
    seconds: float
    reached: frozenset[str]
    why: str = ""  # the end of what a failure said

    @property
    def sound(self) -> bool:
        return self.outcome in {"passed", "skipped"}


class Reach:
    def __init__(self, path: Path, root: Path = ROOT) -> None:
        self.path, self.root = path, root
        self.known: dict[str, list[str]] = {}
        self.tests: dict[str, Measured] = {}
        if path.exists():
            for line in path.read_text().splitlines():
                self._take(json.loads(line))

    def _take(self, row: dict[str, object]) -> None:
        if "keys" in row:
            self.known[str(row["known"])] = list(row["keys"])  # type: ignore[call-overload]
        else:
            keys = self.known[str(row["known"])]
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
                self._take(row)

    def know(self, guards: Sequence[Guard]) -> str:
        """Remember the list of guards by their number; returns its name."""
        keys = [guard.key for guard in guards]
        name = digest(keys)
        if name not in self.known:
            self._write([{"known": name, "keys": keys}])
        return name

    def missing(self, tests: Iterable[str], guards: Sequence[Guard]) -> list[str]:
        """Tests to measure: new, in a changed file, failed, or near a guard not known then."""
        unknown = {
            name: [guard for guard in guards if guard.key not in set(keys)]
            for name, keys in self.known.items()
        }
        found = []
        for test in tests:
            old = self.tests.get(test)
            file = file_digest(self.root / test.partition("::")[0])
            if old is None or old.file != file or not old.sound:
                found.append(test)
                continue
            if any(self._near(guard, test, old) for guard in unknown[old.known]):
                found.append(test)
        return found

    def _near(self, guard: Guard, test: str, old: Measured) -> bool:
        """Whether a test may get to a guard not known then: it lies beside it, or came to its function.

        Where no guard of that function was known, one of its file will do.
        """
        inside = f"{guard.path}::{guard.function}::"
        if not any(key.startswith(inside) for key in self.known[old.known]):
            inside = f"{guard.path}::"
        return mirrors(test, guard.path) or any(key.startswith(inside) for key in old.reached)

    def measure(
        self,
        workers: Sequence[Worker],
        tests: Sequence[str],
        guards: Sequence[Guard],
        told: Callable[[int], None],
        at_once: int = AT_ONCE,
    ) -> None:
        """Run tests with every guard in place, and write down what each gets to."""
        known = self.know(guards)
        orders = [tests[start : start + at_once] for start in range(0, len(tests), at_once)]

        def run(worker: Worker, order: Sequence[str]) -> list[Answer]:
            answers = []
            left = list(order)
            while left:  # a test that hangs ends its order
                answers.append(worker.run(left))
                ran = {result.test for result in answers[-1].results}
                left = [test for test in left if test not in ran] if ran else []
            return answers

        for order, answers in work(workers, run, orders):
            for answer in answers:
                self._write(
                    {
                        "test": result.test,
                        "file": file_digest(self.root / result.test.partition("::")[0]),
                        "known": known,
                        "outcome": result.outcome,
                        "seconds": result.seconds,
                        "reached": answer.reached.get(result.test, []),
                        "why": result.why[-500:],
                    }
                    for result in answer.results
                )
            told(len(order))

    def tests_of(self, guard: Guard) -> list[str]:
        """The tests that get to a guard and pass with every guard in place, the likeliest to notice first."""
        found = [
            test for test, it in self.tests.items() if it.outcome == "passed" and guard.key in it.reached
        ]

        def order(test: str) -> tuple[bool, bool, int, float]:
            it = self.tests[test]
            return (not mirrors(test, guard.path), it.seconds > 5, len(it.reached), it.seconds)

        return sorted(found, key=order)

    def likeliest(self, guard: Guard, among: Container[str]) -> list[str]:
        """The tests that judge a guard: those that get to it, or the likeliest of many."""
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
    """Whether a test lies in the directory that mirrors a file's package."""
    package = package_of(path)
    return bool(package) and test.startswith(f"tests/{package}/")
