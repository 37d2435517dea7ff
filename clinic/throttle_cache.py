"""The cache of throttles for installations without Redis: a table that loses only rows that have expired."""

import base64
import pickle
import time
from datetime import UTC, datetime
from typing import Any

from django.core.cache.backends.base import DEFAULT_TIMEOUT
from django.core.cache.backends.db import DatabaseCache
from django.db import connections, router
from django.utils import timezone

CLEANING_INTERVAL = 60.0  # seconds between two deletions of expired rows by one process
SET = (
    "INSERT INTO {table} (cache_key, value, expires) VALUES (%s, %s, %s)"
    " ON CONFLICT (cache_key) DO UPDATE SET value = excluded.value, expires = excluded.expires"
)
ADD = SET + " WHERE {table}.expires <= %s"
NEVER = datetime.max.replace(microsecond=0, tzinfo=UTC)  # the expiry of a value without a timeout


class ThrottleCache(DatabaseCache):
    """Django's cache in a table, without its culling (docs/decisions/0011-throttles-that-last.md).

    Above 300 rows, Django's cache deletes rows that have not expired. So a stranger's failed sign-ins would
    reset somebody else's counter. Here only expired rows are deleted. Each throttle limits how many rows one
    address can add before they expire, so the table stays small.

    `add`, `set` and `touch` are one SQL statement each. So if two processes add the same expired key, only
    one succeeds. Errors of the database are raised. Django's cache returns False for them, which a throttle
    would take for too many tries.
    """

    def __init__(self, table: str, params: dict[str, Any]) -> None:
        super().__init__(table, params)
        self.table = table
        self.cleaning_due = 0.0  # monotonic time

    def add(self, key: Any, value: Any, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None) -> bool:
        """Store a value unless the key has one that has not expired. Return whether it was stored."""
        return self._write(ADD, [timezone.now()], key, value, timeout, version)

    def set(self, key: Any, value: Any, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None) -> None:
        self._write(SET, [], key, value, timeout, version)

    def touch(self, key: Any, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None) -> bool:
        """Give a key another expiry. Return whether it has a value that has not expired."""
        name = self.make_and_validate_key(key, version=version)
        statement = "UPDATE {table} SET expires = %s WHERE cache_key = %s AND expires > %s"
        return self._run(statement, [self._expiry(timeout), name, timezone.now()]) > 0

    def get_many(self, keys: Any, version: int | None = None) -> dict[Any, Any]:
        """Return the values of those keys that have one that has not expired."""
        names = {self.make_and_validate_key(key, version=version): key for key in keys}
        if not names:
            return {}
        marks = ", ".join(["%s"] * len(names))
        statement = f"SELECT cache_key, value FROM {{table}} WHERE cache_key IN ({marks}) AND expires > %s"  # noqa: S608
        db = router.db_for_read(self.cache_model_class)
        with connections[db].cursor() as cursor:
            cursor.execute(*self._prepared(statement, [*names, timezone.now()], db))
            rows = cursor.fetchall()
        # Only this cache writes to the table, so the pickles are ours.
        return {names[name]: pickle.loads(base64.b64decode(value)) for name, value in rows}  # noqa: S301

    def delete_expired(self) -> None:
        """Delete the rows that have expired. They contain addresses of visitors, so they must not stay."""
        self.cleaning_due = time.monotonic() + CLEANING_INTERVAL
        self._run("DELETE FROM {table} WHERE expires <= %s", [timezone.now()])

    def _write(
        self, statement: str, values: list[Any], key: Any, value: Any, timeout: Any, version: int | None
    ) -> bool:
        """Run SET or ADD, whose last values are `values`. Return whether a row was written."""
        if time.monotonic() >= self.cleaning_due:  # where a supervisor runs, it does so too
            self.delete_expired()
        name = self.make_and_validate_key(key, version=version)
        pickled = base64.b64encode(pickle.dumps(value, self.pickle_protocol)).decode()
        return self._run(statement, [name, pickled, self._expiry(timeout), *values]) > 0

    def _expiry(self, timeout: Any) -> datetime:
        """Return when a value with this timeout (in seconds, None for never) expires."""
        seconds = self.get_backend_timeout(timeout)
        return NEVER if seconds is None else datetime.fromtimestamp(seconds, UTC)

    def _run(self, statement: str, values: list[Any]) -> int:
        """Run a statement that writes. Return how many rows it wrote."""
        db = router.db_for_write(self.cache_model_class)
        with connections[db].cursor() as cursor:
            cursor.execute(*self._prepared(statement, values, db))
            return int(cursor.rowcount)

    def _prepared(self, statement: str, values: list[Any], db: str) -> tuple[str, list[Any]]:
        """Return the statement with the table's name filled in, and the values in the database's types."""
        operations = connections[db].ops
        adapted = [
            operations.adapt_datetimefield_value(value) if isinstance(value, datetime) else value
            for value in values
        ]
        return statement.format(table=operations.quote_name(self.table)), adapted
