"""Real processes for tests that kill them: workers and supervisors on the test's own database."""

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
PATIENCE = 60.0  # seconds without any progress after which a wait fails; tests do not measure time with it
LONGEST = 600.0  # seconds after which a wait fails even while there is progress
ASK_AGAIN = 1.0  # seconds between two questions whether there is progress
SHORTEST_PAUSE, LONGEST_PAUSE = 0.02, 0.1  # seconds between two questions whether it has happened
OUTPUT_SHOWN = 6000  # last bytes of each process's output that a failure message includes


def database_address() -> str:
    """The test database as a LACUNA_DATABASE URL, for other processes."""
    chosen = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{chosen['NAME']}"
    port = f":{chosen['PORT']}" if chosen["PORT"] else ""
    return f"postgresql://{chosen['USER']}@{quote(chosen['HOST'], safe='.:[]')}{port}/{chosen['NAME']}"


def environment(**more: str) -> dict[str, str]:
    """Environment variables for a process that shares this test's database, vault and keys."""
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
        "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
        **more,
    }


def contents(path: Path) -> bytes:
    """The bytes of a file, which may be the SQLite database that this process has open.

    Another process reads it. If this process closed any descriptor of the file, it would lose SQLite's locks
    on it, and the next process that closes the database would delete the WAL still in use. Errors: OSError.
    """
    read = subprocess.run(["cat", "--", path], capture_output=True, check=False)  # noqa: S603, S607
    if read.returncode:
        raise OSError(read.stderr.decode())
    return read.stdout


def until(happened: Callable[[], bool], what: str, moving: Callable[[], object] = lambda: None) -> None:
    """Wait until `happened()` is true. Fail after PATIENCE seconds in which `moving()` returned nothing new.

    what: what is waited for, for the message. The message includes the processes' output and all runs.
    """
    began = since = asked = time.monotonic()
    before = moving()
    while not happened():
        now = time.monotonic()
        if now - asked > ASK_AGAIN:
            asked = now
            if (moved := moving()) != before:
                before, since = moved, now
        if now - since > PATIENCE or now - began > LONGEST:
            raise AssertionError(f"waited in vain: {what}\n{state()}")
        # The longer the wait, the longer the pauses: asking takes the processor from what is waited for.
        time.sleep(min(SHORTEST_PAUSE + (now - began) / 20, LONGEST_PAUSE))


def progress() -> object:
    """Counts that grow while a run makes progress, however slowly: its events and the audit log."""
    return Event.objects.count(), Entry.objects.count()


def certified(run: Run) -> bool:
    return Run.objects.filter(pk=run.pk, certificate__isnull=False).exists()


def until_certified(run: Run, what: str = "the run ends") -> None:
    """Wait for a run's certificate, for as long as the run makes progress."""
    until(lambda: certified(run), what, progress)


def state() -> str:
    """For failure messages: every run's rows, and the output and exit code of each process."""
    lines = [f"load {os.getloadavg()}"]
    try:
        try:
            lines += _rows()
        except SynchronousOnlyOperation:  # Playwright's event loop is in this thread
            with ThreadPoolExecutor(1) as beside:
                lines += beside.submit(_rows_and_close).result()
    except Exception as error:  # a test without a database waits too
        lines.append(f"the database cannot be read: {error!r}")
    for opened in _open:
        lines += opened.outputs()
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
class StartedProcesses:
    """Processes started for one test, killed when it ends. Each writes its output to a file of its own."""

    processes: list["subprocess.Popen[bytes]"] = field(default_factory=list)
    output_files: list[IO[bytes]] = field(default_factory=list)

    def start(self, *command: str, **env: str) -> "subprocess.Popen[bytes]":
        """Start `manage.py command` in its own process group."""
        return self.run([sys.executable, str(ROOT / "manage.py"), *command], environment(**env))

    def run(
        self, command: Sequence[str], env: Mapping[str, str], output: IO[bytes] | None = None
    ) -> "subprocess.Popen[bytes]":
        """Start a command. Its output goes to the file `output`, by default a temporary file.

        Not to a pipe: a process blocks when it writes to a full pipe that nobody reads.
        """
        output = output or tempfile.TemporaryFile()  # noqa: SIM115 - closed by `close`
        process = subprocess.Popen(  # noqa: S603 - our own command line
            command, env=env, cwd=ROOT, start_new_session=True, stdout=output, stderr=output
        )
        watcher.watch_group(process.pid)
        self.processes.append(process)
        self.output_files.append(output)
        return process

    def worker(self, **env: str) -> "subprocess.Popen[bytes]":
        """A task worker as `manage.py serve` starts it."""
        return self.start("db_worker", "--interval", "0.05", "--no-startup-delay", "--no-reload", **env)

    def supervisor(self, **env: str) -> "subprocess.Popen[bytes]":
        return self.start("supervise", **env)

    def outputs(self) -> list[str]:
        """For each process: whether it runs or how it ended, and the end of its output."""
        lines = []
        for process, output in zip(self.processes, self.output_files, strict=True):
            status = "runs" if process.poll() is None else f"ended with {process.returncode}"
            command = shlex.join(str(word) for word in cast(Sequence[object], process.args))
            lines.append(f"{command} ({process.pid}) {status}. Its output:")
            output.seek(max(0, output.seek(0, os.SEEK_END) - OUTPUT_SHOWN))
            lines.append(output.read().decode(errors="replace"))
        return lines

    def kill(self) -> None:
        """Kill every process that was started."""
        for process in self.processes:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGCONT)
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            watcher.forget_group(process.pid)

    def close(self) -> None:
        self.kill()
        for output in self.output_files:
            output.close()


_open: list[StartedProcesses] = []


@contextmanager
def started_processes() -> Iterator[StartedProcesses]:
    """An empty collection of processes. Those that are started in it are killed at the end of the block."""
    processes = StartedProcesses()
    _open.append(processes)
    try:
        yield processes
    finally:
        _open.remove(processes)
        processes.close()
