"""Take one guard out and run the tests that get to it."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.guards.reach import Reach
from tests.guards.workers import Worker

WHOLE = 300.0  # seconds for the tests of one guard: without it the code may only be slower, in every test
SLOW = 20.0  # seconds after which a failure may be one of time
GRACE, TIMES = 30.0, 10.0  # a test's time limit: so many seconds, and so many times what it usually takes


@dataclass
class Finding:
    """`test` notices that the guard is out, "" when none does; `passed` do not."""

    test: str = ""
    passed: list[str] = field(default_factory=list)


class Judge:
    """Finds the test that notices. A failure counts if the test passes, now, with the guard in place."""

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
            results = worker.run(left, out=number, first=True, limits=limits, whole=WHOLE).results
            finding.passed += [result.test for result in results if not result.noticed]
            failed = next((result for result in results if result.noticed), None)
            if failed is None:
                break
            sure = failed.test == left[0] and failed.outcome != "hung" and failed.seconds < SLOW
            if self._passes(worker, failed.test, limits) and (
                sure or self._fails(worker, failed.test, number, limits)
            ):
                finding.test = failed.test
                break
            left = left[left.index(failed.test) + 1 :]
        return finding

    def _passes(self, worker: Worker, test: str, limits: dict[str, float]) -> bool:
        """Whether a test passes by itself with every guard in place; asked once per test."""
        with self._lock:
            known = self._sound.get(test)
        if known is None:
            known = not worker.run([test], limits=limits).results[0].noticed
            with self._lock:
                self._sound[test] = known
        return known

    def _fails(self, worker: Worker, test: str, number: int, limits: dict[str, float]) -> bool:
        """Whether the failure comes again without the tests before it: a busy machine may have caused it."""
        return worker.run([test], out=number, limits=limits).results[0].noticed
