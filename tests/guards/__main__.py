"""`python -m tests.guards [PACKAGE ...]`: remove each guard once and list those that no test notices."""

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
    """Prints how much is done and how long the rest will take, at most one line every EVERY seconds."""

    EVERY = 10.0

    def __init__(self, what: str, total: int) -> None:
        self.what, self.total, self.done = what, total, 0
        self.began = self.printed_at = time.monotonic()

    def add(self, count: int = 1) -> None:
        self.done += count
        now = time.monotonic()
        if now - self.printed_at >= self.EVERY and self.done:
            self.printed_at = now
            seconds_left = (now - self.began) / self.done * (self.total - self.done)
            print_line(f"  {self.what}: {self.done} of {self.total}, about {seconds_left / 60:.0f} min left")


def print_line(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - what this program is for


@contextmanager
def scratch() -> Iterator[Path]:
    """A temporary directory, in memory if there is enough room. It is removed at the end."""
    memory = Path("/dev/shm")  # noqa: S108 - the fastest place there is; the directory is ours alone
    enough_room = memory.is_dir() and os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > 1 << 30
    directory = Path(tempfile.mkdtemp(prefix="lacuna-guards-", dir=memory if enough_room else None))
    directory.chmod(0o755)  # PostgreSQL runs as another user
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


class Run:
    """One run of the tool. Workers start when something has to be measured or judged."""

    def __init__(
        self,
        found_guards: Sequence[Found],
        workers: int,
        directory: Path,
        stack: ExitStack,
        *,
        quick: bool,
        judge_again: bool,
    ) -> None:
        self.found_guards, self.worker_count = found_guards, workers
        self.directory, self.stack = directory, stack
        self.quick, self.judge_again = quick, judge_again
        self.guards = [found.guard for found in found_guards]
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
        print_line("Preparing: copying the tree, collecting the tests.")
        test_files = [path.relative_to(ROOT).as_posix() for path in (ROOT / "tests").rglob("*.py")]
        snapshot([*test_files, *{guard.path for guard in self.guards}])
        self._sqlite = [self._worker(f"sqlite-{number}") for number in range(self.worker_count)]
        marks = self._sqlite[0].marks
        tests = [test for test in self._sqlite[0].tests if not (self.quick and "processes" in marks[test])]
        self._measure(self._sqlite, tests)
        self.tests = set(tests)
        for test in tests:
            if not (measured := self.reach.tests[test]).sound:
                print_line(
                    f"  left out, since it fails with every guard in place: {test} ({measured.outcome})"
                )
                print_line("".join(f"    {line}\n" for line in measured.why.splitlines()[-3:]).rstrip("\n"))
        if self.quick:
            return
        try:
            address = self.stack.enter_context(postgres.cluster()).address()
        except postgres.NoPostgres as error:
            print_line(f"{error} Tests that only run there are left out.")
            return
        postgres_worker = self._worker("postgresql", address)
        only_on_postgres = [test for test in postgres_worker.tests if test not in self._sqlite[0].tests_set]
        self._postgres = [postgres_worker]
        self.reach_on_postgres = Reach(REACH.with_name("reach-postgresql.jsonl"))
        self._measure(self._postgres, only_on_postgres, self.reach_on_postgres)
        self.tests.update(only_on_postgres)

    def _worker(self, name: str, database: str = "") -> Worker:
        tree = self.directory / name
        prepare(tree, self.found_guards)
        worker = Worker(tree, self.directory / f"{name}-scratch", database)
        self.stack.callback(worker.close)
        return worker

    def _measure(self, workers: Sequence[Worker], tests: Sequence[str], reach: Reach | None = None) -> None:
        reach = reach or self.reach
        if missing := reach.missing(tests, self.guards):
            print_line(f"Running {len(missing)} tests to see which guards they reach.")
            progress = Progress("tests", len(missing))
            reach.measure(workers, missing, self.guards, progress.add)
        if failed := [test for test in tests if not reach.tests[test].sound]:
            print_line(f"{len(failed)} of them fail with every guard in place. Each is run once more, alone.")
            reach.measure(workers, failed, self.guards, lambda _: None, at_once=1)

    def find_verdicts(self, guards: Sequence[Guard]) -> None:
        """Find a verdict for each guard."""
        self.start()
        progress = Progress("guards", len(guards))
        groups = [(self._sqlite, self.judge, self.reach)]
        if self._postgres:
            groups.append((self._postgres, Judge(self.reach_on_postgres), self.reach_on_postgres))
        left = list(guards)
        for workers, judge, reach in groups:
            last = workers is groups[-1][0]

            def find_test(
                worker: Worker, guard: Guard, judge: Judge = judge, reach: Reach = reach
            ) -> Finding:
                tests = reach.likeliest(guard, self.tests)
                if not self.judge_again:
                    tests = self.tried.left(guard, tests)
                return judge.find(worker, self.numbers[guard.key], tests)

            unnoticed = []
            for guard, finding in work(workers, find_test, left):
                test = finding.test
                self.tried.passed(guard, finding.passed)
                if test:
                    self.verdicts.notice(guard, test)
                elif last and not self.quick:
                    self.verdicts.miss(guard, self.tests_of(guard))
                else:
                    unnoticed.append(guard)
                if test or last:
                    progress.add()
            left = unnoticed

    def tests_of(self, guard: Guard) -> list[str]:
        on_postgres = self.reach_on_postgres.likeliest(guard, self.tests) if self._postgres else []
        return [*self.reach.likeliest(guard, self.tests), *on_postgres]


def report(package: str, guards: Sequence[Guard], verdicts: Verdicts, entries: Sequence[Accepted]) -> int:
    """Print how many guards of a package were noticed, and each survivor: neither noticed nor accepted.

    Returns the number of survivors.
    """
    unnoticed = [
        guard for guard in guards if not (verdict := verdicts.valid_verdict(guard)) or not verdict.noticed
    ]
    survivors = [guard for guard in unnoticed if not any(entry.fits(guard) for entry in entries)]
    print_line(
        f"{package}: {len(guards)} guards, {len(guards) - len(unnoticed)} noticed, "
        f"{len(unnoticed) - len(survivors)} accepted, {len(survivors)} survive"
    )
    for guard in survivors:
        print_line(f"  {guard.path}:{guard.line} {guard.function} | {guard.kind} | {guard.text}")
        if (verdict := verdicts.valid_verdict(guard)) is None:
            print_line("    not noticed by the tests that were run")
        else:
            print_line(
                f"    {verdict.tries} tests that reach it pass without it"
                if verdict.tries
                else "    no test reaches it"
            )
    return len(survivors)


def to_judge(
    guards: Sequence[Guard], verdicts: Verdicts, entries: Sequence[Accepted], *, judge_again: bool
) -> list[Guard]:
    """Guards without a valid verdict, except accepted ones; with `judge_again` all that no test noticed."""
    found = []
    for guard in guards:
        verdict = verdicts.valid_verdict(guard)
        if (judge_again and not (verdict and verdict.noticed)) or (
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
        help="leave out tests that start processes or need PostgreSQL; survivors are not stored",
    )
    parser.add_argument("--list", action="store_true", help="print the guards and exit")
    parser.add_argument(
        "--again",
        dest="judge_again",
        action="store_true",
        help="judge survivors again, by every test, even if nothing changed",
    )
    given = parser.parse_args()
    if unknown := set(given.packages) - set(PACKAGES):
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    chosen = [package for package in PACKAGES if not given.packages or package in given.packages]
    found_guards = find()
    guards = [found.guard for found in found_guards]
    if given.list:
        for guard in guards:
            if package_of(guard.path) in chosen:
                print_line(f"{guard.path}:{guard.line} {guard.function} | {guard.kind} | {guard.text}")
        return 0
    entries = accepted.read()
    surviving = 0
    with scratch() as directory, ExitStack() as stack:
        run = Run(
            found_guards, given.workers, directory, stack, quick=given.quick, judge_again=given.judge_again
        )
        run.verdicts.keep_only(guards)
        for package in chosen:
            guards_of_package = [guard for guard in guards if package_of(guard.path) == package]
            waiting = to_judge(guards_of_package, run.verdicts, entries, judge_again=given.judge_again)
            if waiting:
                print_line(f"{package}: {len(waiting)} of {len(guards_of_package)} guards to judge")
                run.find_verdicts(waiting)
            surviving += report(package, guards_of_package, run.verdicts, entries)
    wrong = accepted.unmatched(entries, guards)
    for entry in wrong:
        print_line(
            f"accepted.toml has an entry that fits no guard: {entry.file} {entry.function} | {entry.guard}"
        )
    print_line(f"{surviving} guards survive" if surviving else "A test notices every guard that is removed.")
    return 1 if surviving or wrong else 0


if __name__ == "__main__":
    for number in (signal.SIGINT, signal.SIGTERM):  # also if a shell started this program with SIGINT ignored
        signal.signal(number, signal.default_int_handler)
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        print_line("Stopped. The verdicts found so far are stored.")
        sys.exit(130)
