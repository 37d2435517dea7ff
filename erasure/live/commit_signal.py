"""How the tailer notices that something was committed. The events themselves it reads from the table.

PostgreSQL notifies it (LISTEN/NOTIFY, a few milliseconds). SQLite is polled every 20 ms for a change of the
file (PRAGMA data_version), which costs about 1.4 % of a core (LIVE.md). Both stop waiting after a second at
the latest, so a lost notification delays an event but never loses it.
"""

import select
import socket
from typing import Any, Protocol

import psycopg
from django.db import connection

CHANNEL = "lacuna_live"
SQLITE_POLL_INTERVAL = 0.02  # seconds
MAX_WAIT = 1.0  # seconds


class CommitWaiter(Protocol):
    """Waits for commits, on a connection of the waiting thread. That thread must also create and close it."""

    def wait(self) -> None:
        """Return when something may have been committed, when nudged, or after MAX_WAIT seconds."""

    def close(self) -> None:
        """Close the connections."""


def readable(seconds: float | None, *sources: int | socket.socket) -> bool:
    """Wait until one of `sources` can be read, at most `seconds` (None: no limit); return whether one can.

    It does not use select(), which fails from file descriptor 1024 on: with many watchers these are reached.
    """
    waiting = select.poll()
    for source in sources:
        waiting.register(source, select.POLLIN)
    return bool(waiting.poll(None if seconds is None else seconds * 1000))


class Nudge:
    """Ends a wait from another thread: call it to end the wait."""

    def __init__(self) -> None:
        self.receiving, self.sending = socket.socketpair()
        self.receiving.setblocking(False)
        self.sending.setblocking(False)

    def __call__(self) -> None:
        try:
            self.sending.send(b"\0")
        except OSError:  # the buffer is full, so a nudge is pending already; or it is closed, so nobody waits
            return

    def wait(self) -> None:
        """Return when nudged."""
        readable(None, self.receiving)
        self.drain()

    def drain(self) -> bool:
        """Remove the pending nudges; return whether there were any."""
        try:
            return bool(self.receiving.recv(4096))
        except BlockingIOError:
            return False

    def close(self) -> None:
        self.receiving.close()
        self.sending.close()


class SqliteCommitWaiter:
    """Polls `data_version`, which changes with every commit of another connection."""

    def __init__(self, nudge: Nudge) -> None:
        self.nudge = nudge
        self.version = self._version()

    def wait(self) -> None:
        for _turn in range(round(MAX_WAIT / SQLITE_POLL_INTERVAL)):
            nudged = readable(SQLITE_POLL_INTERVAL, self.nudge.receiving) and self.nudge.drain()
            version = self._version()
            if version != self.version or nudged:
                self.version = version
                return

    def _version(self) -> int:
        # Fetch all rows and close the cursor: an unfinished SELECT keeps SQLite from resetting the
        # write-ahead log, which then grew to 93 MiB.
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA data_version")
            return int(cursor.fetchall()[0][0])

    def close(self) -> None:
        connection.close()


class PostgresCommitWaiter:
    """Listens on a connection outside Django's pool, because the pool would reset it."""

    def __init__(self, nudge: Nudge) -> None:
        self.nudge = nudge
        parameters: dict[str, Any] = connection.get_connection_params()
        for name in ("pool", "cursor_factory", "context", "prepare_threshold"):
            parameters.pop(name, None)
        self.listening: psycopg.Connection[Any] = psycopg.connect(**parameters, autocommit=True)
        self.listening.execute(f"LISTEN {CHANNEL}")

    def wait(self) -> None:
        readable(MAX_WAIT, self.listening.fileno(), self.nudge.receiving)
        self.nudge.drain()
        for _note in self.listening.notifies(timeout=0):
            pass

    def close(self) -> None:
        self.listening.close()
        connection.close()


def open_commit_waiter(nudge: Nudge) -> CommitWaiter:
    """Return the waiter for the configured database. Errors: django.db.Error, psycopg.Error."""
    return SqliteCommitWaiter(nudge) if connection.vendor == "sqlite" else PostgresCommitWaiter(nudge)
