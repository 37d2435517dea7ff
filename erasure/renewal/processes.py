"""Keeps the table of running processes. Each adds its row before it reads any data of a case."""

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

RETRY_SECONDS = 1.0  # between two attempts, while the database does not answer
UNREPORTED_LIMIT = timedelta(days=1)  # a process that its machine has not reported for so long has ended


def machine() -> str:
    """Return the name of this machine."""
    return socket.gethostname()[:120]


def start_time_of(pid: int) -> str | None:
    """Return when the kernel started a process of this machine, as text that serves only to be compared.

    Return "" if this system does not tell the time; None if there is no such process. A zombie counts as no
    process, because it has no memory any more.
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
    return None if state in {"Z", "X"} else fields[18]  # Z: zombie, X: dead; 18: starttime, see proc(5)


def add_process(kind: str, *, ends_by_itself: bool = False) -> None:
    """Add the row of this process, because it may keep in memory what it reads. kind: see `ServerProcess`.

    ends_by_itself: certificates wait for its end, although it has no parent that replaces it.

    If the database does not answer, the process may begin without a row: it cannot read any data then. A
    thread adds the row as soon as the database answers.
    """
    renewable = ends_by_itself or PARENT in os.environ
    if not _try_to_add(kind, renewable):
        threading.Thread(target=_add_later, args=[kind, renewable], daemon=True).start()


def _try_to_add(kind: str, renewable: bool) -> bool:
    """Add the row of this process if it is missing. Return False if the database does not answer."""
    pid = os.getpid()
    try:
        ServerProcess.objects.get_or_create(
            machine=machine(),
            pid=pid,
            born=start_time_of(pid) or "",
            defaults={"kind": kind, "renewable": renewable},
        )
    except Error:
        return False
    return True


def _add_later(kind: str, renewable: bool) -> None:
    """Try to add the row of this process until the database answers."""
    while not _try_to_add(kind, renewable):
        connection.close()
        time.sleep(RETRY_SECONDS)
    connection.close()


def alive(process: ServerProcess) -> bool:
    """Return whether a process of this machine still runs."""
    return start_time_of(process.pid) == process.born


def living() -> "QuerySet[ServerProcess]":
    """Return the processes of all machines that are not known to have ended."""
    return ServerProcess.objects.filter(ended_at__isnull=True)


def record_ends() -> None:
    """Record the end of processes of this machine that are gone, and of those that others stopped reporting.

    Another machine has stopped reporting a process if it has not done so for `UNREPORTED_LIMIT`.
    """
    now = timezone.now()
    here = list(living().filter(machine=machine()))
    ended = [process.pk for process in here if not alive(process)]
    if ended:
        living().filter(pk__in=ended).update(ended_at=now)
    living().exclude(machine=machine()).filter(seen_at__lt=now - UNREPORTED_LIMIT).update(ended_at=now)


def record_ends_elsewhere() -> None:
    """Record that all processes of other machines have ended.

    For a restored database: its rows are the processes of the time when the backup was made.
    """
    record_ends()
    living().exclude(machine=machine()).update(ended_at=timezone.now())


def record_life() -> None:
    """Record that the processes of this machine that still run were seen now."""
    record_ends()
    living().filter(machine=machine()).update(seen_at=timezone.now())
