"""Ends the servers and processes of a test run when the test run itself has ended, even by `kill -9`.

Each process that starts others has a watcher: a small child process with a list of process groups and
directories, which checks whether its parent still lives. What ends normally is removed from the list. When
the parent has ended, the watcher stops the process groups on the list and then deletes the directories.

This file is also the watcher's program, so it imports only the standard library.
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

INTERVAL = 0.2  # seconds between two checks of the parent
GRACE = 10.0  # seconds that a group has to end after its signal, before it is killed

# By process id, because a forked process inherits its parent's watcher and needs its own.
_watchers: dict[int, "subprocess.Popen[bytes]"] = {}


def watch_group(group: int, stop: signal.Signals = signal.SIGKILL) -> None:
    """When this process has ended, send the signal `stop` to the process group `group`."""
    _send_message("group", group, int(stop))


def forget_group(group: int) -> None:
    """Remove a process group that has ended from the list: its number may be reused."""
    _send_message("no-group", group)


def watch_directory(directory: Path) -> None:
    """When this process has ended, delete `directory`."""
    _send_message("directory", str(directory))


def forget_directory(directory: Path) -> None:
    _send_message("no-directory", str(directory))


def _send_message(*message: Any) -> None:
    watcher = _watchers.get(os.getpid())
    if watcher is None:
        watcher = _watchers[os.getpid()] = subprocess.Popen(  # noqa: S603 - our own interpreter and file
            [sys.executable, "-I", "-S", __file__, str(os.getpid())],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            start_new_session=True,  # so that Ctrl-C does not end the watcher
            cwd="/",
        )
    assert watcher.stdin
    watcher.stdin.write(json.dumps(message).encode() + b"\n")
    watcher.stdin.flush()


# --- The watcher process ----------------------------------------------------------------------------------


def main(parent: int) -> None:
    """Read messages until the process `parent` has ended, then stop the groups and delete the directories."""
    groups: dict[int, int] = {}
    directories: set[str] = set()
    unread, connected = b"", True
    while connected and _wait_for_message(parent):
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
    while os.getppid() == parent:  # the parent called exec, which closed the pipe; wait until it ends
        time.sleep(INTERVAL)
    _stop(groups)
    for directory in directories:
        shutil.rmtree(directory, ignore_errors=True)


def _wait_for_message(parent: int) -> bool:
    """Wait for a message. Returns False once the parent has ended and no message is left."""
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
    """Whether a group's first process still runs. A zombie counts as ended."""
    if not _send(group, 0):
        return False
    try:  # a zombie may stay for a while, for example in a container whose init is slow to reap it
        state = Path(f"/proc/{group}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:  # no Linux
        return True
    return state != "Z"


def _send(group: int, signal_number: int) -> bool:
    """Send a signal to a process group; returns whether the group exists."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal_number)
        return True
    return False


if __name__ == "__main__":
    main(int(sys.argv[1]))
