"""A process whose system calls fail or kill it, one chosen call at a time: strace injects what disks do."""

import os
import shutil
import signal
import subprocess
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from django.db import connections

from patients.vault import configured
from tests.house import PATIENCE

STRACE = shutil.which("strace")
# Every call by which a file on a disk changes. A file that `openat` has just made shows at the next of these.
CHANGES = (
    "write",
    "pwrite64",
    "fsync",
    "fdatasync",
    "ftruncate",
    "fallocate",
    "link",
    "rename",
    "unlink",
    "mkdir",
    "fchmod",
)


@dataclass(frozen=True)
class Fault:
    """What happens at the `nth` `call`: an `error` by its name, or, where it is empty, SIGKILL before it."""

    call: str
    nth: int
    error: str = ""

    def __str__(self) -> str:
        return f"{self.error or 'SIGKILL'} at {self.call} number {self.nth}"

    @property
    def inject(self) -> str:
        what = f"error={self.error}" if self.error else "signal=KILL"
        return f"inject={self.call}:{what}:when={self.nth}"


def in_child(work: Callable[[], object], watch: Callable[[int], object] = int) -> int:
    """Do `work` in a child of this process, once `watch` has been called with the child's number.

    Returns the child's exit code: 0 where `work` returned, 1 where it raised, minus the signal that ended it.
    """
    for connection in connections.all(initialized_only=True):
        connection.close()
        if hasattr(connection, "close_pool"):
            connection.close_pool()
    ready, go = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(go)
        _wait_and_do(work, ready)
    os.close(ready)
    try:
        watch(child)
        os.write(go, b"!")
    finally:
        os.close(go)
    _child, status = os.waitpid(child, 0)
    configured.reset()
    return os.waitstatus_to_exitcode(status)


def suffer(work: Callable[[], object], log: Path, fault: Fault | None = None) -> int:
    """Do `work` in a child whose changing calls are traced into `log`, `fault` in one; as `in_child`."""
    command = [str(STRACE), "-f", "-qq", "-y", "-o", str(log), "-e", "trace=" + ",".join(CHANGES)]
    command += ["-e", fault.inject] if fault else []
    tracers = []

    def watch(child: int) -> None:
        words = [*command, "-p", str(child)]
        tracers.append(subprocess.Popen(words, stderr=subprocess.DEVNULL))  # noqa: S603 - our own words
        _until_traced(child)

    code = in_child(work, watch)
    tracers[0].wait(PATIENCE)
    return code


def _wait_and_do(work: Callable[[], object], ready: int) -> None:
    """The child: waits until somebody watches, works, and leaves without its parent's clean-up."""
    code = 1
    try:
        configured.reset()
        if os.read(ready, 1):
            work()
            code = 0
    except BaseException:
        # Into pytest's own capture: shown where the test fails.
        sys.stderr.write(traceback.format_exc())
    finally:
        os._exit(code)


def _until_traced(pid: int) -> None:
    end = time.monotonic() + PATIENCE
    while "TracerPid:\t0\n" in Path(f"/proc/{pid}/status").read_text():
        if time.monotonic() > end:
            os.kill(pid, signal.SIGKILL)
            raise AssertionError("strace did not attach")
        time.sleep(0.001)


@dataclass(frozen=True)
class Call:
    """A traced call: its number among those of its name, and whether it wrote a page of SQLite's log."""

    name: str
    nth: int
    in_log: bool


def calls(log: Path) -> list[Call]:
    """The traced calls of a child in their order."""
    seen: Counter[str] = Counter()
    found = []
    for line in log.read_text(errors="replace").splitlines():
        name, _bracket, rest = line.split(maxsplit=1)[1].partition("(")
        if name in CHANGES:
            seen[name] += 1
            found.append(Call(name, seen[name], name == "pwrite64" and "-wal>" in rest.partition(",")[0]))
    return found
