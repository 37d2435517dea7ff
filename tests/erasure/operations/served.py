"""A started `manage.py serve` and its child processes."""

import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings
from django.db import connections

from clinic.checks import lacking
from patients.vault.volume import volume_warnings
from tests import watcher
from tests.processes import PATIENCE, ROOT, environment, until

# A word in the command line of each kind of child process.
KINDS = ("erasure.operations.web", "work", "supervise")
BY_REDIS = "work_by_redis"


class Served:
    """A started `manage.py serve`. options: its command-line options. env: changes to its environment."""

    def __init__(self, *options: str, **env: str) -> None:
        connections.close_all()
        # No pipe: when a pipe is full and nobody reads it, the process that writes to it blocks.
        self.errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed in `end`
        self.process = subprocess.Popen(  # noqa: S603
            [sys.executable, str(ROOT / "manage.py"), "serve", "--port", "0", *options],
            env=environment(**env),
            start_new_session=True,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            text=True,
        )
        watcher.watch_group(self.process.pid)
        self.seen: set[int] = set()
        assert self.process.stdout is not None
        self.greeting = self.process.stdout.readline()
        assert self.greeting, self.written()

    @property
    def port(self) -> int:
        found = re.search(r"http://127\.0\.0\.1:(\d+)/", self.greeting)
        assert found, (self.greeting, self.written())
        return int(found[1])

    def written(self) -> str:
        """What the processes have written to their error stream until now."""
        # `seek` would move the position where the processes write.
        descriptor = self.errors.fileno()
        return os.pread(descriptor, os.fstat(descriptor).st_size, 0).decode()

    def children(self) -> dict[str, int]:
        """The process ids of the living children by kind."""
        found = {}
        for place in Path("/proc").glob("[0-9]*"):
            try:
                parent = int((place / "stat").read_text().rpartition(")")[2].split()[1])
                words = (place / "cmdline").read_bytes().decode().split("\0")
            except (FileNotFoundError, ProcessLookupError):
                continue
            kind = next((kind for kind in (*KINDS, BY_REDIS) if kind in words), None)
            if parent == self.process.pid and kind:
                found[kind] = int(place.name)
        self.seen |= set(found.values())
        return found

    def wait_for_children(self) -> dict[str, int]:
        """Wait until a child of each kind runs. Returns their process ids by kind."""
        until(lambda: set(self.children()) == set(KINDS), "every child runs")
        return self.children()

    def no_child_left(self) -> bool:
        """Whether every child that `children` has listed so far has ended."""
        return not any(Path(f"/proc/{pid}").exists() for pid in self.seen)

    def end(self, number: int) -> str:
        """Send a signal to the parent and wait for its end.

        Returns what was written to the error stream, without warnings about this machine.
        """
        self.children()
        self.process.send_signal(number)
        self.process.communicate(timeout=PATIENCE)
        watcher.forget_group(self.process.pid)
        output = self.written()
        self.errors.close()
        machine_warnings = lacking()
        return without_volume_warnings(
            "".join(
                line
                for line in output.splitlines(keepends=True)
                if not any(sentence in line for sentence in machine_warnings)
            )
        )


def without_volume_warnings(written: str) -> str:
    """A server's error output without the warnings about the file system of the temporary directory.

    If that is in memory or on a copy-on-write volume, the server must warn. This checks their number.
    """
    lines = written.splitlines(keepends=True)
    rest = [line for line in lines if " lacuna.serve KEYS MAY OUTLIVE THEIR ERASURE. " not in line]
    expected = volume_warnings({"keys": Path(settings.LACUNA_KEYS_DIR)})
    assert len(lines) - len(rest) <= len(expected), written
    return "".join(rest)


@contextmanager
def serve(*options: str, **env: str) -> Iterator[Served]:
    served = Served(*options, **env)
    try:
        yield served
    finally:
        if served.process.poll() is None:
            served.end(signal.SIGKILL)
