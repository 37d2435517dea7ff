"""Which processes there are: each enters itself before it reads anything of a case."""

import logging
import os
import socket
import sys
import threading
import time
from datetime import timedelta
from pathlib import Path

from django.db import Error, connection
from django.db.models import QuerySet
from django.utils import timezone

from erasure.renewal.models import ServerProcess
from erasure.renewal.parent import PARENT

log = logging.getLogger("lacuna.serve")

TRY_AGAIN = 1.0  # seconds, if the database does not answer
FORGOTTEN = timedelta(days=1)  # a process that its machine has not seen for so long has ended


def machine() -> str:
    """Return the name of this machine."""
    return socket.gethostname()[:120]


def born(pid: int) -> str | None:
    """Return when the kernel started a process, "" if this system does not tell, None if there is none.

    A zombie counts as none: it has no memory any more.
    """
    if sys.platform != "linux":
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return None
        except PermissionError:
            pass
        return ""
    try:
        state, *fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if state in {"Z", "X"} else fields[18]


def enter(kind: str) -> None:
    """Enter this process as one that may remember what it reads.

    Without a database it reads nothing, so it may begin and is entered as soon as there is one.
    """
    if not _entered(kind):
        threading.Thread(target=_enter_later, args=[kind], daemon=True).start()


def _entered(kind: str) -> bool:
    pid = os.getpid()
    try:
        ServerProcess.objects.get_or_create(
            machine=machine(),
            pid=pid,
            born=born(pid) or "",
            defaults={"kind": kind, "renewable": PARENT in os.environ},
        )
    except Error:
        return False
    return True


def _enter_later(kind: str) -> None:
    while not _entered(kind):
        connection.close()
        time.sleep(TRY_AGAIN)
    connection.close()


def alive(process: ServerProcess) -> bool:
    """Return whether a process of this machine still runs."""
    return born(process.pid) == process.born


def living() -> "QuerySet[ServerProcess]":
    """Return the processes that are not known to have ended, of every machine."""
    return ServerProcess.objects.filter(ended_at__isnull=True)


def note_ends() -> None:
    """Record which processes of this machine have ended, and which others nobody has seen for a day."""
    now = timezone.now()
    here = list(living().filter(machine=machine()))
    ended = [process.pk for process in here if not alive(process)]
    if ended:
        living().filter(pk__in=ended).update(ended_at=now)
    living().exclude(machine=machine()).filter(seen_at__lt=now - FORGOTTEN).update(ended_at=now)


def forget_elsewhere() -> None:
    """Record that no process of another machine lives: a restored database names those of its own time."""
    note_ends()
    living().exclude(machine=machine()).update(ended_at=timezone.now())


def note_life() -> None:
    """Record that the living processes of this machine were seen now."""
    note_ends()
    living().filter(machine=machine()).update(seen_at=timezone.now())
