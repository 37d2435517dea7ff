"""A house of real processes for tests that kill them: workers and supervisors on the test's own database."""

import os
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, cast
from urllib.parse import quote

from django.conf import settings
from django.core.exceptions import SynchronousOnlyOperation
from django.db import connection
from django.utils import timezone
from django_tasks_db.models import DBTaskResult

from clinic.audit.models import Entry
from erasure.runs.models import Event, Run, Step
from tests import watcher

ROOT = Path(__file__).resolve().parents[1]
PATIENCE = 60.0  # seconds for which nothing may move before a wait fails; nothing is timed by it
LONGEST = 600.0  # seconds any wait may take, whatever moves
TOLD = 6000  # bytes of what a process said that a failure tells


def database_address() -> str:
    """Where the test's own database is, as the settings of another process take it."""
    chosen = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{chosen['NAME']}"
    port = f":{chosen['PORT']}" if chosen["PORT"] else ""
    return f"postgresql://{chosen['USER']}@{quote(chosen['HOST'], safe='.:[]')}{port}/{chosen['NAME']}"


def environment(**more: str) -> dict[str, str]:
    """The environment in which another process is part of this test's house."""
    return {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "clinic.settings",
        "LACUNA_SECRET_KEY": settings.SECRET_KEY,
        "LACUNA_DATABASE": database_address(),
        "LACUNA_DATA_DIR": str(settings.LACUNA_DATA_DIR),
        "LACUNA_KEYS_DIR": str(settings.LACUNA_KEYS_DIR),
        "LACUNA_ROOT_KEY_FILE": str(settings.LACUNA_ROOT_KEY_FILE),
        "LACUNA_SIGNING_KEY_FILE": str(settings.LACUNA_SIGNING_KEY_FILE),
        "LACUNA_WITNESS_DIR": str(settings.LACUNA_WITNESS_DIR),
        "LACUNA_COOLING_OFF_HOURS": "0",
        "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
        **more,
    }


def contents(path: Path) -> bytes:
    """The bytes of a file that may be this process's open database.

    Read by another process: closing any descriptor of a file drops the locks this process has on it, SQLite's
    too, and the next process to leave the database would believe it the last and take its log away.
    Errors: OSError.
    """
    read = subprocess.run(["cat", "--", path], capture_output=True, check=False)  # noqa: S603, S607
    if read.returncode:
        raise OSError(read.stderr.decode())
    return read.stdout


def until(happened: Callable[[], bool], what: str, moving: Callable[[], object] = lambda: None) -> None:
    """Look again and again until `happened`; fail when PATIENCE ends in which `moving` gave nothing new.

    A failure tells what the processes of the test's house said, and how the runs stand.
    """
    began = since = time.monotonic()
    before = moving()
    while not happened():
        now = time.monotonic()
        if (moved := moving()) != before:
            before, since = moved, now
        if now - since > PATIENCE or now - began > LONGEST:
            raise AssertionError(f"waited in vain: {what}\n{state()}")
        time.sleep(0.02)


def progress() -> object:
    """What grows while a night goes on, however slowly: its events and the log."""
    return Event.objects.count(), Entry.objects.count()


def certified(run: Run) -> bool:
    return Run.objects.filter(pk=run.pk, certificate__isnull=False).exists()


def until_certified(run: Run, what: str = "the run ends") -> None:
    """Wait for a run's certificate, for as long as the run moves."""
    until(lambda: certified(run), what, progress)


def state() -> str:
    """How every run stands, and what each process of the open houses said and came to."""
    lines = [f"load {os.getloadavg()}"]
    try:
        try:
            lines += _rows()
        except SynchronousOnlyOperation:  # Playwright's event loop is in this thread
            with ThreadPoolExecutor(1) as beside:
                lines += beside.submit(_rows_and_close).result()
    except Exception as error:  # a test without a database waits too
        lines.append(f"the rows cannot be read: {error!r}")
    for opened in _open:
        lines += opened.told()
    return "\n".join(lines)


def _rows_and_close() -> list[str]:
    try:
        return _rows()
    finally:
        connection.close()


def _rows() -> list[str]:
    lines = [f"the clock says {timezone.now()}"]
    for run in Run.objects.values(
        "pk", "state", "epoch", "lease_holder", "lease_until", "woken_at", "next_due_at", "outcome"
    ):
        steps = list(Step.objects.filter(run=run["pk"]).order_by("position").values_list("state", "level"))
        events = list(Event.objects.filter(run=run["pk"]).order_by("-seq").values_list("kind", "at")[:5])
        lines += [f"run {run}", f"  steps {steps}", f"  last events {events}"]
    entries = Entry.objects.order_by("-index").values_list("action", "actor", "at", "details")[:5]
    lines.append(f"last entries {list(entries)}")
    tasks = DBTaskResult.objects.order_by("-enqueued_at").values_list("status", "exception_class_path")[:10]
    lines.append(f"last tasks {list(tasks)}")
    return lines


@dataclass
class House:
    """Processes started for one test; all are gone when it ends. What they say goes to files of their own."""

    processes: list["subprocess.Popen[bytes]"] = field(default_factory=list)
    said: list[IO[bytes]] = field(default_factory=list)

    def start(self, *command: str, **env: str) -> "subprocess.Popen[bytes]":
        """Start `manage.py command` as a process group of its own."""
        return self.run([sys.executable, str(ROOT / "manage.py"), *command], environment(**env))

    def run(
        self, command: Sequence[str], env: Mapping[str, str], said: IO[bytes] | None = None
    ) -> "subprocess.Popen[bytes]":
        """Start a command. What it says goes to the file `said`, by default one of its own.

        Not to a pipe: one that nobody reads stops whoever writes to it when it is full.
        """
        said = said or tempfile.TemporaryFile()  # noqa: SIM115 - closed with the house
        process = subprocess.Popen(  # noqa: S603 - our own command line
            command, env=env, cwd=ROOT, start_new_session=True, stdout=said, stderr=said
        )
        watcher.watch_group(process.pid)
        self.processes.append(process)
        self.said.append(said)
        return process

    def worker(self, **env: str) -> "subprocess.Popen[bytes]":
        """A task worker as `manage.py serve` starts it."""
        return self.start("db_worker", "--interval", "0.05", "--no-startup-delay", "--no-reload", **env)

    def supervisor(self, **env: str) -> "subprocess.Popen[bytes]":
        return self.start("supervise", **env)

    def told(self) -> list[str]:
        """What each process came to, and the end of what it said."""
        lines = []
        for process, said in zip(self.processes, self.said, strict=True):
            came_to = "runs" if process.poll() is None else f"ended with {process.returncode}"
            command = shlex.join(str(word) for word in cast(Sequence[object], process.args))
            lines.append(f"{command} ({process.pid}) {came_to}, and said:")
            said.seek(max(0, said.seek(0, os.SEEK_END) - TOLD))
            lines.append(said.read().decode(errors="replace"))
        return lines

    def kill(self) -> None:
        """Kill every process there is now."""
        for process in self.processes:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGCONT)
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            watcher.forget_group(process.pid)

    def close(self) -> None:
        self.kill()
        for said in self.said:
            said.close()


_open: list[House] = []


@contextmanager
def house() -> Iterator[House]:
    """A house for the length of a test."""
    mine = House()
    _open.append(mine)
    try:
        yield mine
    finally:
        _open.remove(mine)
        mine.close()
