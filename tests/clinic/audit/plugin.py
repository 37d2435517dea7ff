"""What a test run needs because the log cannot be emptied: tests/conftest.py imports these fixtures."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest
from django.core.management.commands import flush as flushing
from django.db import transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.base.operations import BaseDatabaseOperations

from clinic.audit import triggers


@contextmanager
def unguarded(connection: BaseDatabaseWrapper) -> Iterator[None]:
    """Take the log's triggers away while something is done that they refuse, and put back what was there."""
    guarded = not triggers.missing(connection)
    triggers.uninstall(connection)
    try:
        yield
    finally:
        if guarded:
            triggers.install(connection)


# The same in every test, and written again by each flush that takes them.
KEPT = {"django_content_type", "auth_permission"}


@pytest.fixture(scope="session", autouse=True)
def log_can_be_flushed() -> Iterator[None]:
    """Let the flush after a `transaction=True` test empty the log, which the database would refuse.

    It takes the rows from the tables that have any. Django's flush empties every table there is, and on
    PostgreSQL, which gives an emptied table a new file, that was most of the time of such a test. Then Django
    would send post_migrate, whose receivers look for content types and permissions to make: those are kept.
    """

    def flush(operations: BaseDatabaseOperations, sql_list: Sequence[str]) -> None:
        with transaction.atomic(using=operations.connection.alias), unguarded(operations.connection):
            empty(operations.connection)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(BaseDatabaseOperations, "execute_sql_flush", flush)
        patched.setattr(flushing, "emit_post_migrate_signal", lambda *_args, **_options: None)
        yield


def empty(connection: BaseDatabaseWrapper) -> None:
    """Delete the rows of every table but `KEPT`; references are looked at when the transaction commits."""
    tables = set(connection.introspection.django_table_names(only_existing=True, include_views=False)) - KEPT
    quoted = {table: connection.ops.quote_name(table) for table in tables}
    asked = " UNION ALL ".join(
        f"SELECT '{table}' WHERE EXISTS (SELECT 1 FROM {name})"  # noqa: S608
        for table, name in sorted(quoted.items())
    )
    with connection.cursor() as cursor:
        cursor.execute(asked)
        for (table,) in cursor.fetchall():
            cursor.execute(f"DELETE FROM {quoted[table]}")  # noqa: S608
