"""A started `manage.py serve`, and who belongs to it."""

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
from tests.house import PATIENCE, ROOT, environment, until

KINDS = ("erasure.operations.web", "work", "supervise")
BY_REDIS = "work_by_redis"


class Served:
    """A started `manage.py serve`."""

    def __init__(self, *options: str, **env: str) -> None:
        connections.close_all()
        # Not a pipe: one that nobody reads stops whoever writes to it when it is full.
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
        """What the processes wrote to their error stream until now."""
        # Seeking would move the place where the processes write.
        descriptor = self.errors.fileno()
        return os.pread(descriptor, os.fstat(descriptor).st_size, 0).decode()

    def children(self) -> dict[str, int]:
        """Pids of the living children by what they are."""
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

    def until_whole(self) -> dict[str, int]:
        until(lambda: set(self.children()) == set(KINDS), "every child runs")
        return self.children()

    def nobody_left(self) -> bool:
        return not any(Path(f"/proc/{pid}").exists() for pid in self.seen)

    def end(self, number: int) -> str:
        """Send a signal to the parent; return what it wrote to its error stream but of this machine."""
        self.children()
        self.process.send_signal(number)
        self.process.communicate(timeout=PATIENCE)
        watcher.forget_group(self.process.pid)
        said = self.written()
        self.errors.close()
        known = lacking()
        return without_volume_warnings(
            "".join(
                line
                for line in said.splitlines(keepends=True)
                if not any(sentence in line for sentence in known)
            )
        )


def without_volume_warnings(written: str) -> str:
    """What a server wrote to its error stream, less the warnings it owes this machine's temporary directory.

    That may be in memory, or on a copy-on-write volume, and then the server has to warn of it.
    """
    lines = written.splitlines(keepends=True)
    rest = [line for line in lines if " lacuna.serve KEYS MAY OUTLIVE THEIR ERASURE. " not in line]
    owed = volume_warnings({"keys": Path(settings.LACUNA_KEYS_DIR)})
    assert len(lines) - len(rest) <= len(owed), written
    return "".join(rest)


@contextmanager
def serve(*options: str, **env: str) -> Iterator[Served]:
    served = Served(*options, **env)
    try:
        yield served
    finally:
        if served.process.poll() is None:
            served.end(signal.SIGKILL)
