"""Remove one guard and run the tests that reach it."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.guards.reach import Reach
from tests.guards.workers import Worker

# Seconds for all tests of one guard. Without it every test may be slower and still pass.
ALL_TESTS_LIMIT = 300.0
SLOW = 20.0  # a test that failed after more seconds may have failed because the machine was busy
GRACE, TIMES = 30.0, 10.0  # a test's time limit in seconds: GRACE + TIMES * its usual time


@dataclass
class Finding:
    """`test` fails without the guard; "" if no test does. `passed` are the tests that pass without it."""

    test: str = ""
    passed: list[str] = field(default_factory=list)


class Judge:
    """Finds a test that notices a removed guard.

    A failure counts if the test passes with the guard in place.
    """

    def __init__(self, reach: Reach) -> None:
        self.reach = reach
        self._sound: dict[str, bool] = {}
        self._lock = threading.Lock()

    def find(self, worker: Worker, number: int, tests: Sequence[str]) -> Finding:
        """Run `tests` without guard `number` until one fails."""
        finding = Finding()
        left = [test for test in tests if test in worker.tests_set]
        limits = {test: GRACE + TIMES * self.reach.tests[test].seconds for test in left}
        while left:
            answer = worker.run(
                left, removed=number, stop_at_failure=True, limits=limits, all_limit=ALL_TESTS_LIMIT
            )
            results = answer.results
            finding.passed += [result.test for result in results if not result.noticed]
            failed = next((result for result in results if result.noticed), None)
            if failed is None:
                break
            certain = failed.test == left[0] and failed.outcome != "hung" and failed.seconds < SLOW
            if self._passes(worker, failed.test, limits) and (
                certain or self._fails(worker, failed.test, number, limits)
            ):
                finding.test = failed.test
                break
            left = left[left.index(failed.test) + 1 :]
        return finding

    def _passes(self, worker: Worker, test: str, limits: dict[str, float]) -> bool:
        """Whether a test passes alone with every guard in place. Each test is run for this only once."""
        with self._lock:
            passes = self._sound.get(test)
        if passes is None:
            passes = not worker.run([test], limits=limits).results[0].noticed
            with self._lock:
                self._sound[test] = passes
        return passes

    def _fails(self, worker: Worker, test: str, number: int, limits: dict[str, float]) -> bool:
        """Whether the test fails again when it runs alone. The first failure may come from a busy machine."""
        return worker.run([test], removed=number, limits=limits).results[0].noticed
