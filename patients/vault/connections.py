"""Connections to PostgreSQL apart from Django's: a rollback by the caller does not undo work on them."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg_pool import ConnectionPool, PoolClosed, PoolTimeout

Connection = psycopg.Connection[tuple[Any, ...]]
# Options of Django that PostgreSQL does not know.
DJANGO_OPTIONS = {"pool", "isolation_level", "server_side_binding", "assume_role"}


class DatabaseUnreachable(OSError):
    """The database doesn't answer, or refused. The effect of the call is unknown; it may be repeated."""


class OwnConnections:
    """A pool of a few connections to the database in `settings`, a Django dictionary of database settings.

    For one process with all its threads. A commit waits for the disk. Errors: DatabaseUnreachable.
    """

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self._settings = settings
        self._pool: ConnectionPool[Connection] | None = None
        self._opening = threading.Lock()

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Run one transaction, durable when this ends."""
        with self.autocommit() as db, db.transaction():
            yield db

    @contextmanager
    def autocommit(self) -> Iterator[Connection]:
        """Provide a connection for single statements, each a transaction of its own."""
        try:
            with self._open_pool().connection() as db:
                yield db
        except (psycopg.Error, PoolTimeout, PoolClosed) as error:
            raise DatabaseUnreachable(f"the key database cannot be used: {type(error).__name__}") from error

    def close(self) -> None:
        """Close the connections. They are opened again when they are used again."""
        with self._opening:
            if self._pool is not None:
                self._pool.close()
            self._pool = None

    def _open_pool(self) -> ConnectionPool[Connection]:
        with self._opening:
            if self._pool is None:
                self._pool = ConnectionPool(
                    kwargs={**_parameters(self._settings), "autocommit": True},
                    min_size=1,
                    max_size=4,
                    timeout=10,
                    configure=_configure,
                    check=ConnectionPool.check_connection,
                    open=True,
                )
            return self._pool


def _parameters(database: Mapping[str, Any]) -> dict[str, Any]:
    named = {
        "dbname": database["NAME"],
        "user": database["USER"],
        "password": database["PASSWORD"],
        "host": database["HOST"],
        "port": database["PORT"],
        "application_name": "lacuna-keys",
    }
    options = {name: value for name, value in database["OPTIONS"].items() if name not in DJANGO_OPTIONS}
    return {name: value for name, value in named.items() if value} | options


def _configure(db: Connection) -> None:
    """Make commits wait for the disk. `remote_write` and `remote_apply` promise more, so they stay."""
    if fetch_value(db, "SELECT current_setting(%s)", "synchronous_commit") in {"off", "local"}:
        db.execute("SET synchronous_commit TO on")


def fetch_value(db: Connection, query: Any, value: Any) -> Any:
    """Return the first column of the first row, or None if there is no row."""
    row = db.execute(query, [value]).fetchone()
    return row[0] if row else None
