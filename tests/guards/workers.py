"""The processes that run tests: each has a prepared tree of its own and takes one order at a time."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

Item = TypeVar("Item")
Result_ = TypeVar("Result_")

LIMIT = 300.0  # seconds for a test whose usual time is not known
WHOLE = 3600.0  # seconds for an order


@dataclass(frozen=True)
class Result:
    """How one test went: passed, failed, skipped, hung (over its time limit) or died."""

    test: str
    outcome: str
    seconds: float
    why: str = ""

    @property
    def noticed(self) -> bool:
        return self.outcome in {"failed", "hung", "died"}


@dataclass(frozen=True)
class Answer:
    results: list[Result]
    reached: dict[str, list[int]]


class Worker:
    """One process with all tests collected in `tree`. Errors: RuntimeError when it does not start or ends."""

    def __init__(
        self, tree: Path, scratch: Path, database: str = "", tests: Sequence[str] = ("tests",)
    ) -> None:
        orders, self._orders = os.pipe()
        self._answers, answers = os.pipe()
        scratch.mkdir(parents=True, exist_ok=True)
        given = {"LACUNA_DATABASE": database} if database else {}
        self.log = scratch / "server.log"
        with self.log.open("wb") as said:
            self.process = subprocess.Popen(  # noqa: S603 - our own command line
                [
                    *(sys.executable, "-m", "pytest", "-p", "tests.guards.server", "-p", "no:randomly"),
                    *("-p", "no:xdist", "-p", "no:cacheprovider", "-o", "addopts=", "-s", "-q"),
                    *("-m", "not torture and not browser", f"--basetemp={scratch / 'base'}", *tests),
                ],
                cwd=tree,
                env={
                    **os.environ,
                    **given,
                    "PYTHONPATH": str(tree),
                    "GUARDS_ORDERS": str(orders),
                    "GUARDS_ANSWERS": str(answers),
                    "GUARDS_SCRATCH": str(scratch),
                },
                pass_fds=(orders, answers),
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                start_new_session=True,
            )
        os.close(orders)
        os.close(answers)
        self._reading = os.fdopen(self._answers)
        self._lock = threading.Lock()
        begun = self._read()
        self.tests: list[str] = begun["tests"]
        self.tests_set = set(self.tests)
        self.marks: dict[str, list[str]] = begun["marks"]

    def run(
        self,
        tests: Sequence[str],
        *,
        out: int = -1,
        first: bool = False,
        limits: Mapping[str, float] | None = None,
        limit: float = LIMIT,
        whole: float = WHOLE,
    ) -> Answer:
        """Run tests in this order in a fresh child; `out` is the number of the guard that is taken out.

        first: end with the first test that fails. limits: seconds for tests whose usual time is known.
        whole: seconds for all of them; those that were not run then have no result.
        """
        order = {
            "tests": list(tests),
            "out": out,
            "first": first,
            "limits": dict(limits or {}),
            "limit": limit,
            "whole": whole,
        }
        with self._lock:
            os.write(self._orders, json.dumps(order).encode() + b"\n")
            answer = self._read()
        return Answer([Result(**result) for result in answer["results"]], answer["reached"])

    def _read(self) -> dict[str, Any]:
        line = self._reading.readline()
        if not line:
            self.process.wait()
            raise RuntimeError(f"a worker ended, and said:\n{self.log.read_text(errors='replace')[-4000:]}")
        found: dict[str, Any] = json.loads(line)
        return found

    def close(self) -> None:
        """End it and what its tests started."""
        self.process.terminate()
        self.process.wait()
        os.close(self._orders)
        self._reading.close()


def work(
    workers: Sequence[Worker], do: Callable[[Worker, Item], Result_], items: Sequence[Item]
) -> Iterator[tuple[Item, Result_]]:
    """Call `do(worker, item)` for each item, whichever worker is free; yield results as they come.

    Errors: what `do` raises, once; the other workers end their item first.
    """
    waiting: SimpleQueue[Item] = SimpleQueue()
    done: SimpleQueue[tuple[Item, Result_] | BaseException | None] = SimpleQueue()
    for item in items:
        waiting.put(item)

    def go_on(worker: Worker) -> None:
        try:
            while True:
                item = waiting.get_nowait()
                done.put((item, do(worker, item)))
        except Empty:
            done.put(None)
        except BaseException as error:  # passed on to who waits
            done.put(error)

    for worker in workers:
        threading.Thread(target=go_on, args=(worker,), daemon=True).start()
    busy = len(workers)
    while busy:
        result = done.get()
        if isinstance(result, BaseException):
            raise result
        if result is None:
            busy -= 1
        else:
            yield result
