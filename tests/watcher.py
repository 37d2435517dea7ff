"""Ends the servers and processes of a test run when the run itself has gone, even by `kill -9`.

A process that starts something tells a watcher: a small process of its own, which looks whether its parent
still lives. What ends in order is taken off the list. When the parent is gone, the watcher stops the process
groups that are left and then removes their directories.

This file is also the watcher's program, so it imports nothing but the standard library.
"""

import json
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

INTERVAL = 0.2  # seconds between two looks at the parent
GRACE = 10.0  # seconds a group has to follow its signal before it is killed

# The watcher of each process that started something: a fork inherits its parent's, and needs its own.
_watchers: dict[int, "subprocess.Popen[bytes]"] = {}


def watch_group(group: int, stop: signal.Signals = signal.SIGKILL) -> None:
    """Have the process group `group` sent `stop` when this process is gone."""
    _tell("group", group, int(stop))


def forget_group(group: int) -> None:
    """Take a process group that has ended off the list: its number may be another's soon."""
    _tell("no-group", group)


def watch_directory(directory: Path) -> None:
    """Have `directory` removed when this process is gone."""
    _tell("directory", str(directory))


def forget_directory(directory: Path) -> None:
    _tell("no-directory", str(directory))


def _tell(*message: Any) -> None:
    watcher = _watchers.get(os.getpid())
    if watcher is None:
        watcher = _watchers[os.getpid()] = subprocess.Popen(  # noqa: S603 - our own interpreter and file
            [sys.executable, "-I", "-S", __file__, str(os.getpid())],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C at the terminal ends the run, and the run ends what it started
            cwd="/",
        )
    assert watcher.stdin
    watcher.stdin.write(json.dumps(message).encode() + b"\n")
    watcher.stdin.flush()


# --- The watcher's own side -------------------------------------------------------------------------------


def main(parent: int) -> None:
    """Read what to watch until the process `parent` is gone, then end it."""
    groups: dict[int, int] = {}
    directories: set[str] = set()
    unread, connected = b"", True
    while connected and _have_news(parent):
        received = os.read(sys.stdin.fileno(), 65536)
        connected = bool(received)
        *lines, unread = (unread + received).split(b"\n")
        for line in lines:
            what, which, *stop = json.loads(line)
            if what == "group":
                groups[which] = stop[0]
            elif what == "no-group":
                groups.pop(which, None)
            elif what == "directory":
                directories.add(which)
            else:
                directories.discard(which)
    while os.getppid() == parent:  # it has replaced its program, and the pipe was closed with the old one
        time.sleep(INTERVAL)
    _stop(groups)
    for directory in directories:
        shutil.rmtree(directory, ignore_errors=True)


def _have_news(parent: int) -> bool:
    """Wait until there is something to read; False once the parent is gone and nothing is left to read."""
    while not select.select([sys.stdin], [], [], INTERVAL)[0]:
        if os.getppid() != parent:
            return False
    return True


def _stop(groups: dict[int, int]) -> None:
    for group, stop in groups.items():
        _send(group, stop)
    until = time.monotonic() + GRACE
    while any(group_lives(group) for group in groups) and time.monotonic() < until:
        time.sleep(0.02)
    for group in groups:
        _send(group, signal.SIGKILL)


def group_lives(group: int) -> bool:
    """Whether a group's first process still runs; one that nobody has waited for does not."""
    if not _send(group, 0):
        return False
    try:  # in a container the first process may be slow to wait for those it inherits
        state = Path(f"/proc/{group}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:  # no Linux
        return True
    return state != "Z"


def _send(group: int, signal_number: int) -> bool:
    """Send a signal to a process group; whether there is such a group."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal_number)
        return True
    return False


if __name__ == "__main__":
    main(int(sys.argv[1]))
