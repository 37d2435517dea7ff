"""Run code in a process in which one chosen system call fails or kills it, as a bad disk does.

Uses strace.
"""

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
from tests.processes import PATIENCE

STRACE = shutil.which("strace")
# All system calls that change a file. `openat` is not among them: a file it creates is empty until the next
# of these calls.
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
    """The `nth` system call named `call` fails with `error`, such as "EIO".

    If that is "", SIGKILL comes before it.
    """

    call: str
    nth: int
    error: str = ""

    def __str__(self) -> str:
        return f"{self.error or 'SIGKILL'} at {self.call} number {self.nth}"

    @property
    def inject(self) -> str:
        what = f"error={self.error}" if self.error else "signal=KILL"
        return f"inject={self.call}:{what}:when={self.nth}"


def in_child(work: Callable[[], object], watch: Callable[[int], object] = lambda _child: None) -> int:
    """Call `work` in a child process, after `watch` was called with the child's process id.

    Returns the child's exit code: 0 if `work` returned, 1 if it raised, minus the number of the signal that
    ended it.
    """
    for connection in connections.all(initialized_only=True):
        connection.close()
        if hasattr(connection, "close_pool"):
            connection.close_pool()
    ready, go = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(go)
        _run_child(work, ready)
    os.close(ready)
    try:
        watch(child)
        os.write(go, b"!")
    finally:
        os.close(go)
    _child, status = os.waitpid(child, 0)
    configured.reset()
    return os.waitstatus_to_exitcode(status)


def run_traced(work: Callable[[], object], log: Path, fault: Fault | None = None) -> int:
    """As `in_child`, with the calls of CHANGES written to `log`, and with `fault` in one of them."""
    command = [str(STRACE), "-f", "-qq", "-y", "-o", str(log), "-e", "trace=" + ",".join(CHANGES)]
    command += ["-e", fault.inject] if fault else []
    tracers = []

    def watch(child: int) -> None:
        arguments = [*command, "-p", str(child)]
        tracers.append(subprocess.Popen(arguments, stderr=subprocess.DEVNULL))  # noqa: S603 - our own command
        _until_traced(child)

    code = in_child(work, watch)
    tracers[0].wait(PATIENCE)
    return code


def _run_child(work: Callable[[], object], ready: int) -> None:
    """In the child: wait until the parent is ready, call `work`, and exit without the parent's clean-up."""
    code = 1
    try:
        configured.reset()
        if os.read(ready, 1):
            work()
            code = 0
    except BaseException:
        # pytest captures this, and shows it if the test fails.
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
    """A traced call. nth: counted per name, from 1. in_log: whether it wrote to SQLite's write-ahead log."""

    name: str
    nth: int
    in_log: bool


def read_calls(log: Path) -> list[Call]:
    """The calls in a log of `run_traced`, in their order."""
    seen: Counter[str] = Counter()
    found = []
    for line in log.read_text(errors="replace").splitlines():
        name, _bracket, rest = line.split(maxsplit=1)[1].partition("(")
        if name in CHANGES:
            seen[name] += 1
            found.append(Call(name, seen[name], name == "pwrite64" and "-wal>" in rest.partition(",")[0]))
    return found
