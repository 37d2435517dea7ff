"""How the tailer learns that something was committed. What it was, it reads from the table.

PostgreSQL tells it (LISTEN/NOTIFY, a few milliseconds); SQLite is asked every 20 ms whether the file has
changed (PRAGMA data_version), which costs about 1.4 % of a core (LIVE.md). Both give up after a second, so
a lost notification delays an event and never loses it.
"""

import select
import socket
from typing import Any, Protocol

import psycopg
from django.db import connection

CHANNEL = "lacuna_live"
ASK_SQLITE = 0.02  # seconds
SAFETY = 1.0  # seconds


class Wake(Protocol):
    """Waits for news on this thread's connection; made and closed in the thread that waits."""

    def wait(self) -> None:
        """Return when something may have been committed, when nudged, or after SAFETY seconds."""

    def close(self) -> None:
        """Give up what this holds."""


def readable(seconds: float | None, *sources: int | socket.socket) -> bool:
    """Wait until one of `sources` can be read, at most so long; return whether one can.

    Not by select(), which fails from descriptor 1024 on: in a full house that is a watcher like any other.
    """
    waiting = select.poll()
    for source in sources:
        waiting.register(source, select.POLLIN)
    return bool(waiting.poll(None if seconds is None else seconds * 1000))


class Nudge:
    """Ends a wait from another thread."""

    def __init__(self) -> None:
        self.receiving, self.sending = socket.socketpair()
        self.receiving.setblocking(False)
        self.sending.setblocking(False)

    def __call__(self) -> None:
        try:
            self.sending.send(b"\0")
        except OSError:  # full, so a nudge is waiting already; or closed, so nobody waits
            return

    def wait(self) -> None:
        """Return when nudged."""
        readable(None, self.receiving)
        self.drain()

    def drain(self) -> bool:
        """Take what was sent; False if nothing was."""
        try:
            return bool(self.receiving.recv(4096))
        except BlockingIOError:
            return False

    def close(self) -> None:
        self.receiving.close()
        self.sending.close()


class SqliteWake:
    """Asks for the version of the data, which changes with every commit of another connection."""

    def __init__(self, nudge: Nudge) -> None:
        self.nudge = nudge
        self.version = self._version()

    def wait(self) -> None:
        for _turn in range(round(SAFETY / ASK_SQLITE)):
            nudged = readable(ASK_SQLITE, self.nudge.receiving) and self.nudge.drain()
            version = self._version()
            if version != self.version or nudged:
                self.version = version
                return

    def _version(self) -> int:
        # An unfinished SELECT keeps the write-ahead log from being reset: it grew to 93 MiB. Fetch and close.
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA data_version")
            return int(cursor.fetchall()[0][0])

    def close(self) -> None:
        connection.close()


class PostgresWake:
    """Listens on a connection of its own, outside Django's pool, which would reset it."""

    def __init__(self, nudge: Nudge) -> None:
        self.nudge = nudge
        parameters: dict[str, Any] = connection.get_connection_params()
        for name in ("pool", "cursor_factory", "context", "prepare_threshold"):
            parameters.pop(name, None)
        self.listening: psycopg.Connection[Any] = psycopg.connect(**parameters, autocommit=True)
        self.listening.execute(f"LISTEN {CHANNEL}")

    def wait(self) -> None:
        readable(SAFETY, self.listening.fileno(), self.nudge.receiving)
        self.nudge.drain()
        for _note in self.listening.notifies(timeout=0):
            pass

    def close(self) -> None:
        self.listening.close()
        connection.close()


def open_wake(nudge: Nudge) -> Wake:
    """Return what waits on the database of the settings. Errors: django.db.Error, psycopg.Error."""
    return SqliteWake(nudge) if connection.vendor == "sqlite" else PostgresWake(nudge)
