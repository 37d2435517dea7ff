"""A pytest plugin that collects the tests once, makes the test database once, and then forks for each order.

Started by tests/guards/workers.py in a prepared tree as `python -m pytest -p tests.guards.server`. It reads
orders, lines of JSON, from the descriptor GUARDS_ORDERS and answers each by a line on GUARDS_ANSWERS. Each
order runs some tests in a child process with a database of its own, so nothing of it is left for the next.
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

# Only a prepared tree has it: the copy of switches.py that the guards of that tree use.
guards_switches = import_module("guards_switches")

LOOK = 5.0  # seconds between two looks at the clock
GRACE = 1.0  # seconds that what a test started has to end by itself once the test is gone
PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36


def pytest_runtestloop(session: pytest.Session) -> bool:
    """Serve orders instead of running the tests."""
    if session.testsfailed:
        raise session.Interrupted(f"{session.testsfailed} errors while collecting")
    with (
        os.fdopen(int(os.environ["GUARDS_ORDERS"])) as orders,
        os.fdopen(int(os.environ["GUARDS_ANSWERS"]), "w") as answers,
    ):
        Server(session, answers).serve(orders)
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

    def serve(self, orders: TextIO) -> None:
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)  # so that orphans of a test end with it
        self._make_database()
        signal.signal(signal.SIGTERM, self._end)
        self._answer({"tests": self.names, "marks": self._marks()})
        for line in orders:
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
        """Run one test that needs the database, so that every child finds it made."""
        first = next(item for item in self.session.items if item.get_closest_marker("django_db"))
        other = next(item for item in self.session.items if item.parent is not first.parent)
        first.config.hook.pytest_runtest_protocol(item=first, nextitem=other)
        connections.close_all()
        if connection.vendor == "sqlite":
            from tests.house import contents  # only now: it needs Django's settings

            self.database = contents(Path(connection.settings_dict["NAME"]))
        else:
            # Nobody may use a database that is copied, and a child cannot use the pool's threads.
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

    def _run(self, order: dict[str, Any]) -> dict[str, Any]:
        """Run the tests of an order in a child: each with its outcome, seconds, and the guards it gets to."""
        self.forks += 1
        place = self.scratch / f"run-{self.forks}"
        place.mkdir(parents=True)
        reading, writing = os.pipe()
        child = os.fork()
        if not child:
            self._be_child(order, place, writing)
        os.close(writing)
        answer = self._watch(order, child, reading)
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

    def _be_child(self, order: dict[str, Any], place: Path, writing: int) -> None:
        code = 1
        try:
            os.setsid()
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
            with (self.scratch / "said.log").open("ab") as said:
                os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
                os.dup2(said.fileno(), 1)
                os.dup2(said.fileno(), 2)
            self._own_database(self.forks, place)
            config: Any = self.session.config
            config._tmp_path_factory._basetemp = place
            reports = Reports(writing, order["first"])
            config.pluginmanager.register(reports, "guards-reports")
            chosen = [self.items[name] for name in order["tests"]]
            self.session._setupstate.teardown_exact(chosen[0])  # of the first test only the session stays
            for item, following in zip(chosen, [*chosen[1:], None], strict=True):
                os.write(writing, json.dumps({"begin": item.nodeid}).encode() + b"\n")
                guards_switches.begin(self.numbers[item.nodeid], order["out"])
                item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
                if reports.ended():
                    break
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)

    def _watch(self, order: dict[str, Any], child: int, reading: int) -> dict[str, Any]:
        """Read what the child reports, end it at its time limit, and gather the answer."""
        results: dict[str, dict[str, Any]] = {}
        reached: dict[str, set[int]] = {}
        running = ""
        buffer = b""
        whole = time.monotonic() + order["whole"]
        deadline = time.monotonic() + 120
        waiting = True
        while waiting:
            before = time.monotonic()
            longest = max(0.0, min(deadline, whole, before + LOOK) - before)
            ready, _, _ = select.select([reading, self.pipe], [], [], longest)
            if (paused := time.monotonic() - before - longest) > LOOK:
                # This process was stopped for a while, and so was the test: that is not the test's time.
                deadline, whole = deadline + paused, whole + paused
            if self.pipe in ready:
                self._note(reached)
            if reading in ready:
                data = os.read(reading, 65536)
                waiting = bool(data)
                *lines, buffer = (buffer + data).split(b"\n")
                for line in lines:
                    said = json.loads(line)
                    if "begin" in said:
                        running = said["begin"]
                        limit = order["limits"].get(running, order["limit"])
                        deadline = time.monotonic() + limit
                    else:
                        results[said["test"]] = said
            if time.monotonic() >= whole:
                running = ""  # it has not failed; there was only no time for it
                break
            if not ready and time.monotonic() >= deadline:
                results[running] = {"test": running, "outcome": "hung", "seconds": order["limit"], "why": ""}
                break
        with suppress(ProcessLookupError):
            os.killpg(child, signal.SIGKILL)
        with suppress(ChildProcessError):
            os.waitpid(child, 0)
        if running and running not in results:
            results[running] = {"test": running, "outcome": "died", "seconds": 0.0, "why": ""}
        self._note(reached)
        return {
            "results": list(results.values()),
            "reached": {name: sorted(numbers) for name, numbers in reached.items()},
        }

    def _note(self, reached: dict[str, set[int]]) -> None:
        for line in _lines(self.pipe):
            test, guard = map(int, line.split())
            reached.setdefault(self.names[test], set()).add(guard)


def _lines(pipe: int) -> Iterator[bytes]:
    """Whole lines that wait in the pipe. Each was written at once: only the end of the buffer cuts one."""
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
    """End what a test left running, however deep: as orphans they are this process's children."""
    patience = time.monotonic() + GRACE  # tests.watcher removes what the test has left, and ends
    while found := _children():
        for pid in found:
            with suppress(ChildProcessError):
                if not os.waitpid(pid, os.WNOHANG)[0] and time.monotonic() > patience:
                    os.kill(pid, signal.SIGKILL)
        time.sleep(0.02)


def _children() -> list[int]:
    me = os.getpid()
    return [int(pid) for pid in Path(f"/proc/{me}/task/{me}/children").read_text().split()]


def _unmount(place: Path) -> None:
    """Take away the small disks that a test which was killed had mounted."""
    mounts = Path("/proc/mounts").read_text().splitlines() if Path("/proc/mounts").exists() else []
    for line in mounts:
        where = line.split()[1]
        if where.startswith(f"{place}/"):
            subprocess.run(["umount", where], check=False)  # noqa: S603, S607


class Reports:
    """Passes on how each test went; in an order that ends with the first failure, says when that was."""

    def __init__(self, writing: int, first: bool) -> None:
        self.writing, self.first, self.failed = writing, first, False
        self.outcome, self.seconds, self.why = "passed", 0.0, ""

    def ended(self) -> bool:
        return self.failed and self.first

    @pytest.hookimpl
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.seconds += report.duration
        if report.failed:
            self.failed, self.outcome = True, "failed"
            self.why = self.why or report.longreprtext[-1500:]
        elif report.skipped and self.outcome == "passed":
            self.outcome = "skipped"
        if report.when == "teardown":
            said = {
                "test": report.nodeid,
                "outcome": self.outcome,
                "seconds": round(self.seconds, 3),
                "why": self.why,
            }
            os.write(self.writing, json.dumps(said).encode() + b"\n")
            self.outcome, self.seconds, self.why = "passed", 0.0, ""
