"""`python -m tests.guards [PACKAGE ...]`: take each guard out once and list those that no test notices."""

import argparse
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests import postgres
from tests.guards import accepted
from tests.guards.accepted import Accepted
from tests.guards.finder import Found
from tests.guards.guard import Guard
from tests.guards.judging import Finding, Judge
from tests.guards.packages import PACKAGES, ROOT, package_of
from tests.guards.prepare import find, prepare
from tests.guards.reach import Reach
from tests.guards.texts import snapshot
from tests.guards.tried import Tried
from tests.guards.verdicts import Verdicts
from tests.guards.workers import Worker, work

REACH = ROOT / ".guards" / "reach.jsonl"


class Progress:
    """How far a run is, and when it will end, a line at most every few seconds."""

    EVERY = 10.0

    def __init__(self, what: str, total: int) -> None:
        self.what, self.total, self.done = what, total, 0
        self.began = self.told = time.monotonic()

    def more(self, count: int = 1) -> None:
        self.done += count
        now = time.monotonic()
        if now - self.told >= self.EVERY and self.done:
            self.told = now
            left = (now - self.began) / self.done * (self.total - self.done)
            say(f"  {self.what}: {self.done} of {self.total}, about {left / 60:.0f} min left")


def say(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - what this program is for


@contextmanager
def scratch() -> Iterator[Path]:
    """A directory in memory where there is room, gone afterwards."""
    memory = Path("/dev/shm")  # noqa: S108 - the fastest place there is; the directory is ours alone
    roomy = memory.is_dir() and os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > 1 << 30
    place = Path(tempfile.mkdtemp(prefix="lacuna-guards-", dir=memory if roomy else None))
    place.chmod(0o755)  # PostgreSQL runs as another user
    try:
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)


class Run:
    """One run of the tool. Workers start when something has to be measured or judged."""

    def __init__(
        self,
        everything: Sequence[Found],
        workers: int,
        place: Path,
        stack: ExitStack,
        *,
        quick: bool,
        again: bool,
    ) -> None:
        self.everything, self.count, self.place, self.stack = everything, workers, place, stack
        self.quick, self.again = quick, again
        self.guards = [found.guard for found in everything]
        self.numbers = {guard.key: number for number, guard in enumerate(self.guards)}
        self.reach = Reach(REACH)
        self.judge = Judge(self.reach)
        self.verdicts = Verdicts()
        self.tried = Tried(REACH.with_name("tried.jsonl"))
        self._sqlite: list[Worker] = []
        self._postgres: list[Worker] = []

    def start(self) -> None:
        """Start the workers and measure what is not measured yet."""
        if self._sqlite:
            return
        say("Preparing: copying the tree, collecting the tests.")
        tests = [path.relative_to(ROOT).as_posix() for path in (ROOT / "tests").rglob("*.py")]
        snapshot([*tests, *{guard.path for guard in self.guards}])
        self._sqlite = [self._worker(f"sqlite-{number}") for number in range(self.count)]
        marks = self._sqlite[0].marks
        tests = [test for test in self._sqlite[0].tests if not (self.quick and "processes" in marks[test])]
        self._measure(self._sqlite, tests)
        self.tests = set(tests)
        for test in tests:
            if not (it := self.reach.tests[test]).sound:
                say(f"  left out, since it fails with every guard in place: {test} ({it.outcome})")
                say("".join(f"    {line}\n" for line in it.why.splitlines()[-3:]).rstrip("\n"))
        if self.quick:
            return
        try:
            address = self.stack.enter_context(postgres.cluster()).address()
        except postgres.NoPostgres as error:
            say(f"{error} Tests that only run there are left out.")
            return
        there = self._worker("postgresql", address)
        only_there = [test for test in there.tests if test not in self._sqlite[0].tests_set]
        self._postgres = [there]
        self.reach_there = Reach(REACH.with_name("reach-postgresql.jsonl"))
        self._measure(self._postgres, only_there, self.reach_there)
        self.tests.update(only_there)

    def _worker(self, name: str, database: str = "") -> Worker:
        tree = self.place / name
        prepare(tree, self.everything)
        worker = Worker(tree, self.place / f"{name}-scratch", database)
        self.stack.callback(worker.close)
        return worker

    def _measure(self, workers: Sequence[Worker], tests: Sequence[str], reach: Reach | None = None) -> None:
        reach = reach or self.reach
        if missing := reach.missing(tests, self.guards):
            say(f"Running {len(missing)} tests to see which guards they get to.")
            progress = Progress("tests", len(missing))
            reach.measure(workers, missing, self.guards, progress.more)
        if failed := [test for test in tests if not reach.tests[test].sound]:
            say(f"{len(failed)} of them fail with every guard in place. Each is run once more, alone.")
            reach.measure(workers, failed, self.guards, lambda _: None, at_once=1)

    def judged(self, guards: Sequence[Guard]) -> None:
        """Find a verdict for each guard."""
        self.start()
        progress = Progress("guards", len(guards))
        groups = [(self._sqlite, self.judge, self.reach)]
        if self._postgres:
            groups.append((self._postgres, Judge(self.reach_there), self.reach_there))
        left = list(guards)
        for workers, judge, reach in groups:
            last = workers is groups[-1][0]

            def find_test(
                worker: Worker, guard: Guard, judge: Judge = judge, reach: Reach = reach
            ) -> Finding:
                tests = reach.likeliest(guard, self.tests)
                if not self.again:
                    tests = self.tried.left(guard, tests)
                return judge.find(worker, self.numbers[guard.key], tests)

            still = []
            for guard, finding in work(workers, find_test, left):
                test = finding.test
                self.tried.passed(guard, finding.passed)
                if test:
                    self.verdicts.notice(guard, test)
                elif last and not self.quick:
                    self.verdicts.miss(guard, self.tests_of(guard))
                else:
                    still.append(guard)
                if test or last:
                    progress.more()
            left = still

    def tests_of(self, guard: Guard) -> list[str]:
        there = self.reach_there.likeliest(guard, self.tests) if self._postgres else []
        return [*self.reach.likeliest(guard, self.tests), *there]


def report(package: str, guards: Sequence[Guard], verdicts: Verdicts, entries: Sequence[Accepted]) -> int:
    """Print a package's figures and its survivors; returns how many there are."""
    survivors = [guard for guard in guards if not (it := verdicts.standing(guard)) or not it.noticed]
    left = [guard for guard in survivors if not any(entry.fits(guard) for entry in entries)]
    say(
        f"{package}: {len(guards)} guards, {len(guards) - len(survivors)} noticed, "
        f"{len(survivors) - len(left)} accepted, {len(left)} survive"
    )
    for guard in left:
        say(f"  {guard.path}:{guard.line} {guard.function} | {guard.kind} | {guard.text}")
        if (it := verdicts.standing(guard)) is None:
            say("    not noticed by the tests that were run")
        else:
            say(
                f"    {it.tries} tests that get to it pass without it"
                if it.tries
                else "    no test gets to it"
            )
    return len(left)


def to_judge(
    guards: Sequence[Guard], verdicts: Verdicts, entries: Sequence[Accepted], *, again: bool
) -> list[Guard]:
    """Guards without a verdict that stands, but for accepted ones; with `again` all that nobody noticed."""
    found = []
    for guard in guards:
        verdict = verdicts.standing(guard)
        if (again and not (verdict and verdict.noticed)) or (
            verdict is None and not any(entry.fits(guard) for entry in entries)
        ):
            found.append(guard)
    return found


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.guards", description=__doc__)
    parser.add_argument(
        "packages", nargs="*", metavar="PACKAGE", help=f"by default all: {', '.join(PACKAGES)}"
    )
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument(
        "--quick",
        action="store_true",
        help="leave out tests that start processes or need PostgreSQL; survivors are not remembered",
    )
    parser.add_argument("--list", action="store_true", help="print the guards and end")
    parser.add_argument(
        "--again", action="store_true", help="judge survivors again, by every test, even if nothing changed"
    )
    given = parser.parse_args()
    if unknown := set(given.packages) - set(PACKAGES):
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    chosen = [package for package in PACKAGES if not given.packages or package in given.packages]
    everything = find()
    guards = [found.guard for found in everything]
    if given.list:
        for guard in guards:
            if package_of(guard.path) in chosen:
                say(f"{guard.path}:{guard.line} {guard.function} | {guard.kind} | {guard.text}")
        return 0
    entries = accepted.read()
    survive = 0
    with scratch() as place, ExitStack() as stack:
        run = Run(everything, given.workers, place, stack, quick=given.quick, again=given.again)
        run.verdicts.keep_only(guards)
        for package in chosen:
            mine = [guard for guard in guards if package_of(guard.path) == package]
            waiting = to_judge(mine, run.verdicts, entries, again=given.again)
            if waiting:
                say(f"{package}: {len(waiting)} of {len(mine)} guards to judge")
                run.judged(waiting)
            survive += report(package, mine, run.verdicts, entries)
    wrong = accepted.unmatched(entries, guards)
    for entry in wrong:
        say(f"accepted.toml has an entry that fits no guard: {entry.file} {entry.function} | {entry.guard}")
    say(f"{survive} guards survive" if survive else "Every guard that is taken out is noticed.")
    return 1 if survive or wrong else 0


if __name__ == "__main__":
    for ending in (signal.SIGINT, signal.SIGTERM):  # also where a shell started this with SIGINT ignored
        signal.signal(ending, signal.default_int_handler)
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        say("Stopped. What was judged is kept.")
        sys.exit(130)
