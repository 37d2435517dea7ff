"""The processes that run tests. Each has its own prepared tree and runs one job at a time."""

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
Outcome = TypeVar("Outcome")

LIMIT = 300.0  # seconds for a test whose usual time is not known
JOB_LIMIT = 3600.0  # seconds for a job


@dataclass(frozen=True)
class Result:
    """The outcome of one test: passed, failed, skipped, hung (over its time limit) or died."""

    test: str
    outcome: str
    seconds: float
    why: str = ""

    @property
    def noticed(self) -> bool:
        return self.outcome in {"failed", "hung", "died"}


@dataclass(frozen=True)
class Answer:
    """The results of a job, and the numbers of the guards that each of its tests reached."""

    results: list[Result]
    reached: dict[str, list[int]]


class Worker:
    """One process with all tests collected in `tree`. Errors: RuntimeError if it does not start, or ends."""

    def __init__(
        self, tree: Path, scratch: Path, database: str = "", tests: Sequence[str] = ("tests",)
    ) -> None:
        jobs, self._jobs = os.pipe()
        self._answers, answers = os.pipe()
        scratch.mkdir(parents=True, exist_ok=True)
        chosen_database = {"LACUNA_DATABASE": database} if database else {}
        self.log = scratch / "server.log"
        with self.log.open("wb") as output:
            self.process = subprocess.Popen(  # noqa: S603 - our own command line
                [
                    *(sys.executable, "-m", "pytest", "-p", "tests.guards.server", "-p", "no:randomly"),
                    *("-p", "no:xdist", "-p", "no:cacheprovider", "-o", "addopts=", "-s", "-q"),
                    *("-m", "not torture and not browser", f"--basetemp={scratch / 'base'}", *tests),
                ],
                cwd=tree,
                env={
                    **os.environ,
                    **chosen_database,
                    "PYTHONPATH": str(tree),
                    "GUARDS_JOBS": str(jobs),
                    "GUARDS_ANSWERS": str(answers),
                    "GUARDS_SCRATCH": str(scratch),
                },
                pass_fds=(jobs, answers),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        os.close(jobs)
        os.close(answers)
        self._reading = os.fdopen(self._answers)
        self._lock = threading.Lock()
        collected = self._read()
        self.tests: list[str] = collected["tests"]
        self.tests_set = set(self.tests)
        self.marks: dict[str, list[str]] = collected["marks"]

    def run(
        self,
        tests: Sequence[str],
        *,
        removed: int = -1,
        stop_at_failure: bool = False,
        limits: Mapping[str, float] | None = None,
        limit: float = LIMIT,
        all_limit: float = JOB_LIMIT,
    ) -> Answer:
        """Run tests in this order in a fresh child; `removed` is the number of the guard that is removed.

        stop_at_failure: end with the first test that fails.
        limits: seconds for each test whose usual time is known; limit: seconds for each other test.
        all_limit: seconds for all of them; tests that were not run in this time have no result.
        """
        job = {
            "tests": list(tests),
            "removed": removed,
            "stop_at_failure": stop_at_failure,
            "limits": dict(limits or {}),
            "limit": limit,
            "all_limit": all_limit,
        }
        with self._lock:
            os.write(self._jobs, json.dumps(job).encode() + b"\n")
            answer = self._read()
        return Answer([Result(**result) for result in answer["results"]], answer["reached"])

    def _read(self) -> dict[str, Any]:
        line = self._reading.readline()
        if not line:
            self.process.wait()
            raise RuntimeError(
                f"a worker ended with this output:\n{self.log.read_text(errors='replace')[-4000:]}"
            )
        found: dict[str, Any] = json.loads(line)
        return found

    def close(self) -> None:
        """End the process and the processes that its tests started."""
        self.process.terminate()
        self.process.wait()
        os.close(self._jobs)
        self._reading.close()


def work(
    workers: Sequence[Worker], do: Callable[[Worker, Item], Outcome], items: Sequence[Item]
) -> Iterator[tuple[Item, Outcome]]:
    """Call `do(worker, item)` for each item with the next free worker; yield results as they come.

    Errors: the first error that `do` raises is raised here.
    """
    waiting: SimpleQueue[Item] = SimpleQueue()
    done: SimpleQueue[tuple[Item, Outcome] | BaseException | None] = SimpleQueue()
    for item in items:
        waiting.put(item)

    def take_items(worker: Worker) -> None:
        try:
            while True:
                item = waiting.get_nowait()
                done.put((item, do(worker, item)))
        except Empty:
            done.put(None)
        except BaseException as error:  # raised below, in the thread that waits
            done.put(error)

    for worker in workers:
        threading.Thread(target=take_items, args=(worker,), daemon=True).start()
    busy = len(workers)
    while busy:
        result = done.get()
        if isinstance(result, BaseException):
            raise result
        if result is None:
            busy -= 1
        else:
            yield result
