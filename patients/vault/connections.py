"""Connections to PostgreSQL beside Django's: what is done on them holds whatever a caller rolls back."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg_pool import ConnectionPool, PoolClosed, PoolTimeout

Connection = psycopg.Connection[tuple[Any, ...]]
# What Django adds to a connection's options and PostgreSQL does not know.
DJANGO_OPTIONS = {"pool", "isolation_level", "server_side_binding", "assume_role"}


class DatabaseUnreachable(OSError):
    """The database doesn't answer, or refused. Nothing was promised; the call may be repeated."""


class OwnConnections:
    """A few connections to the database that `settings`, Django's dictionary of one, names.

    For one process, all its threads. A commit on them waits for the disk. Errors: DatabaseUnreachable.
    """

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self._settings = settings
        self._pool: ConnectionPool[Connection] | None = None
        self._opening = threading.Lock()

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """One transaction, durable when this ends."""
        with self.single() as db, db.transaction():
            yield db

    @contextmanager
    def single(self) -> Iterator[Connection]:
        """For single statements, each a transaction of its own."""
        try:
            with self._opened().connection() as db:
                yield db
        except (psycopg.Error, PoolTimeout, PoolClosed) as error:
            raise DatabaseUnreachable(f"the database of keys: {type(error).__name__}") from error

    def close(self) -> None:
        """They are opened again when they are used again."""
        with self._opening:
            if self._pool is not None:
                self._pool.close()
            self._pool = None

    def _opened(self) -> ConnectionPool[Connection]:
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
    said = {
        "dbname": database["NAME"],
        "user": database["USER"],
        "password": database["PASSWORD"],
        "host": database["HOST"],
        "port": database["PORT"],
        "application_name": "lacuna-keys",
    }
    options = {name: value for name, value in database["OPTIONS"].items() if name not in DJANGO_OPTIONS}
    return {name: value for name, value in said.items() if value} | options


def _configure(db: Connection) -> None:
    """A commit that the disk may not have seen is no promise; remote_write and remote_apply promise more."""
    if value_of(db, "SELECT current_setting(%s)", "synchronous_commit") in {"off", "local"}:
        db.execute("SET synchronous_commit TO on")


def value_of(db: Connection, query: Any, value: Any) -> Any:
    """The first column of the first row; None if there is none."""
    row = db.execute(query, [value]).fetchone()
    return row[0] if row else None
