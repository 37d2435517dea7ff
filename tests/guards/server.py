"""A pytest plugin that collects the tests once, makes the test database once, and then forks for each job.

Started by tests/guards/workers.py in a prepared tree as `python -m pytest -p tests.guards.server`. It reads
jobs, lines of JSON, from the descriptor GUARDS_JOBS and answers each with a line on GUARDS_ANSWERS. Each job
runs some tests in a child process with its own database, so it leaves nothing behind for the next job.
"""

import ctypes
import gc
import json
import os
import select
import shutil
import signal
import subprocess
import time
import traceback
from collections.abc import Iterator
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any, TextIO

import pytest
from django.conf import settings
from django.db import connection, connections
from pytest_django.plugin import blocking_manager_key

# The copy of switches.py that the guards of a prepared tree use. It exists only there.
guards_switches = import_module("guards_switches")

CLOCK_INTERVAL = 5.0  # seconds after which the time limits are checked
START_LIMIT = 120.0  # seconds until a child begins its first test
GRACE = 1.0  # seconds in which processes that a test started may end by themselves after the test
PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36


def pytest_runtestloop(session: pytest.Session) -> bool:
    """Serve jobs instead of running the tests."""
    if session.testsfailed:
        raise session.Interrupted(f"{session.testsfailed} errors while collecting")
    with (
        os.fdopen(int(os.environ["GUARDS_JOBS"])) as jobs,
        os.fdopen(int(os.environ["GUARDS_ANSWERS"]), "w") as answers,
    ):
        Server(session, answers).serve(jobs)
    return True


class Server:
    def __init__(self, session: pytest.Session, answers: TextIO) -> None:
        self.session, self.answers = session, answers
        self.items = {item.nodeid: item for item in session.items}
        self.numbers = {nodeid: number for number, nodeid in enumerate(self.items)}
        self.names = list(self.items)
        self.scratch = Path(os.environ["GUARDS_SCRATCH"])
        self.pipe = os.open(guards_switches.PIPE, os.O_RDONLY | os.O_NONBLOCK)
        guards_switches._read()
        self.forks = 0

    def serve(self, jobs: TextIO) -> None:
        # A test's orphans become children of this process.
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        self._make_database()
        signal.signal(signal.SIGTERM, self._end)
        self._answer({"tests": self.names, "marks": self._marks()})
        for line in jobs:
            self._answer(self._run(json.loads(line)))

    def _end(self, *_: object) -> None:
        _end_descendants()
        _unmount(self.scratch)
        os._exit(1)

    def _answer(self, answer: dict[str, Any]) -> None:
        print(json.dumps(answer), file=self.answers, flush=True)

    def _marks(self) -> dict[str, list[str]]:
        return {
            name: sorted({mark.name for mark in item.iter_markers()}) for name, item in self.items.items()
        }

    def _make_database(self) -> None:
        """Run one test that needs the database, so that it exists in every child."""
        first = next(item for item in self.session.items if item.get_closest_marker("django_db"))
        other = next(item for item in self.session.items if item.parent is not first.parent)
        first.config.hook.pytest_runtest_protocol(item=first, nextitem=other)
        connections.close_all()
        if connection.vendor == "sqlite":
            from tests.processes import contents  # imported here because it needs Django's settings

            self.database = contents(Path(connection.settings_dict["NAME"]))
        else:
            # A database with connections cannot be copied, and a child cannot use the pool's threads.
            connection.close_pool()
        gc.collect()
        gc.freeze()

    def _own_database(self, number: int, place: Path) -> None:
        """Give this child a copy of the database."""
        chosen = connection.settings_dict
        if connection.vendor == "sqlite":
            name = str(place / "database.sqlite3")
            Path(name).write_bytes(self.database)
        else:
            name = f"{chosen['NAME']}_{number}"
            blocker = self.session.config.stash[blocking_manager_key]
            with blocker.unblock(), connection._nodb_cursor() as cursor:
                cursor.execute(f'CREATE DATABASE "{name}" TEMPLATE "{chosen["NAME"]}"')
        chosen["NAME"] = name
        settings.DATABASES["default"]["NAME"] = name

    def _run(self, job: dict[str, Any]) -> dict[str, Any]:
        """Run the tests of a job in a child.

        Returns each test's outcome and seconds, and the guards it reaches.
        """
        self.forks += 1
        place = self.scratch / f"run-{self.forks}"
        place.mkdir(parents=True)
        reading, writing = os.pipe()
        child = os.fork()
        if not child:
            self._run_in_child(job, place, writing)
        os.close(writing)
        answer = self._watch(job, child, reading)
        os.close(reading)
        _end_descendants()
        if connection.vendor != "sqlite":
            blocker = self.session.config.stash[blocking_manager_key]
            with blocker.unblock(), connection._nodb_cursor() as cursor:
                name = f"{connection.settings_dict['NAME']}_{self.forks}"
                cursor.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
            connections.close_all()
        _unmount(place)
        shutil.rmtree(place, ignore_errors=True)
        return answer

    def _run_in_child(self, job: dict[str, Any], place: Path, writing: int) -> None:
        code = 1
        try:
            os.setsid()
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
            with (self.scratch / "said.log").open("ab") as log:
                os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
                os.dup2(log.fileno(), 1)
                os.dup2(log.fileno(), 2)
            self._own_database(self.forks, place)
            config: Any = self.session.config
            config._tmp_path_factory._basetemp = place
            reports = Reports(writing, job["stop_at_failure"])
            config.pluginmanager.register(reports, "guards-reports")
            chosen = [self.items[name] for name in job["tests"]]
            # Of the test that _make_database ran, only the session's fixtures are kept.
            self.session._setupstate.teardown_exact(chosen[0])
            for item, following in zip(chosen, [*chosen[1:], None], strict=True):
                os.write(writing, json.dumps({"begin": item.nodeid}).encode() + b"\n")
                guards_switches.begin(self.numbers[item.nodeid], job["removed"])
                item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
                if reports.should_stop():
                    break
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)

    def _watch(self, job: dict[str, Any], child: int, reading: int) -> dict[str, Any]:
        """Read the child's reports, end it at its time limit, and return the answer."""
        results: dict[str, dict[str, Any]] = {}
        reached: dict[str, set[int]] = {}
        running = ""
        buffer = b""
        all_deadline = time.monotonic() + job["all_limit"]
        deadline = time.monotonic() + START_LIMIT
        child_reports = True
        while child_reports:
            before = time.monotonic()
            timeout = max(0.0, min(deadline, all_deadline, before + CLOCK_INTERVAL) - before)
            ready, _, _ = select.select([reading, self.pipe], [], [], timeout)
            if (paused := time.monotonic() - before - timeout) > CLOCK_INTERVAL:
                # This process was stopped for a while, and so was the test. That time does not count.
                deadline, all_deadline = deadline + paused, all_deadline + paused
            if self.pipe in ready:
                self._collect_reached(reached)
            if reading in ready:
                data = os.read(reading, 65536)
                child_reports = bool(data)
                *lines, buffer = (buffer + data).split(b"\n")
                for line in lines:
                    message = json.loads(line)
                    if "begin" in message:
                        running = message["begin"]
                        limit = job["limits"].get(running, job["limit"])
                        deadline = time.monotonic() + limit
                    else:
                        results[message["test"]] = message
            if time.monotonic() >= all_deadline:
                running = ""  # the test has not failed; the job's time is over
                break
            if not ready and time.monotonic() >= deadline:
                results[running] = {"test": running, "outcome": "hung", "seconds": job["limit"], "why": ""}
                break
        with suppress(ProcessLookupError):
            os.killpg(child, signal.SIGKILL)
        with suppress(ChildProcessError):
            os.waitpid(child, 0)
        if running and running not in results:
            results[running] = {"test": running, "outcome": "died", "seconds": 0.0, "why": ""}
        self._collect_reached(reached)
        return {
            "results": list(results.values()),
            "reached": {name: sorted(numbers) for name, numbers in reached.items()},
        }

    def _collect_reached(self, reached: dict[str, set[int]]) -> None:
        for line in _lines(self.pipe):
            test, guard = map(int, line.split())
            reached.setdefault(self.names[test], set()).add(guard)


def _lines(pipe: int) -> Iterator[bytes]:
    """The complete lines in the pipe.

    Each was written in one call, so only the end of `data` can cut a line.
    """
    rest = b""
    while True:
        try:
            data = os.read(pipe, 1 << 16)
        except BlockingIOError:
            return
        if not data:
            return
        *lines, rest = (rest + data).split(b"\n")
        yield from lines


def _end_descendants() -> None:
    """End the processes that a test left running. As orphans they are children of this process."""
    deadline = time.monotonic() + GRACE  # until then tests.watcher may remove what the test left, and end
    while found := _children():
        for pid in found:
            with suppress(ChildProcessError):
                if not os.waitpid(pid, os.WNOHANG)[0] and time.monotonic() > deadline:
                    os.kill(pid, signal.SIGKILL)
        time.sleep(0.02)


def _children() -> list[int]:
    me = os.getpid()
    return [int(pid) for pid in Path(f"/proc/{me}/task/{me}/children").read_text().split()]


def _unmount(place: Path) -> None:
    """Unmount the file systems that a killed test had mounted in `place`."""
    mounts = Path("/proc/mounts").read_text().splitlines() if Path("/proc/mounts").exists() else []
    for line in mounts:
        where = line.split()[1]
        if where.startswith(f"{place}/"):
            subprocess.run(["umount", where], check=False)  # noqa: S603, S607


class Reports:
    """Writes each test's result to the pipe, and knows when a job that stops at a failure has to stop."""

    def __init__(self, writing: int, stop_at_failure: bool) -> None:
        self.writing, self.stop_at_failure, self.failed = writing, stop_at_failure, False
        self.outcome, self.seconds, self.why = "passed", 0.0, ""

    def should_stop(self) -> bool:
        return self.failed and self.stop_at_failure

    @pytest.hookimpl
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.seconds += report.duration
        if report.failed:
            self.failed, self.outcome = True, "failed"
            self.why = self.why or report.longreprtext[-1500:]
        elif report.skipped and self.outcome == "passed":
            self.outcome = "skipped"
        if report.when == "teardown":
            message = {
                "test": report.nodeid,
                "outcome": self.outcome,
                "seconds": round(self.seconds, 3),
                "why": self.why,
            }
            os.write(self.writing, json.dumps(message).encode() + b"\n")
            self.outcome, self.seconds, self.why = "passed", 0.0, ""
