"""Lets tests empty the audit log, which its triggers forbid. tests/conftest.py imports the fixture."""

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
    """Remove the log's triggers for the block. Afterwards install them again if they were there."""
    guarded = not triggers.missing(connection)
    triggers.uninstall(connection)
    try:
        yield
    finally:
        if guarded:
            triggers.install(connection)


# Tables that are never emptied: their rows are the same in every test.
KEPT = {"django_content_type", "auth_permission"}


@pytest.fixture(scope="session", autouse=True)
def log_can_be_flushed() -> Iterator[None]:
    """Let the flush after a `transaction=True` test empty the log, which its triggers would refuse.

    This flush deletes rows only from tables that have some. Django's flush truncates every table, which took
    most of the time of such a test on PostgreSQL. It also does not send post_migrate, whose receivers would
    create content types and permissions: those are kept.
    """

    def flush(operations: BaseDatabaseOperations, sql_list: Sequence[str]) -> None:
        with transaction.atomic(using=operations.connection.alias), unguarded(operations.connection):
            empty(operations.connection)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(BaseDatabaseOperations, "execute_sql_flush", flush)
        patched.setattr(flushing, "emit_post_migrate_signal", lambda *_args, **_options: None)
        yield


def empty(connection: BaseDatabaseWrapper) -> None:
    """Delete the rows of every table except `KEPT`.

    Call it in a transaction: foreign keys are checked when it commits.
    """
    tables = set(connection.introspection.django_table_names(only_existing=True, include_views=False)) - KEPT
    quoted = {table: connection.ops.quote_name(table) for table in tables}
    query = " UNION ALL ".join(
        f"SELECT '{table}' WHERE EXISTS (SELECT 1 FROM {name})"  # noqa: S608
        for table, name in sorted(quoted.items())
    )
    with connection.cursor() as cursor:
        cursor.execute(query)
        for (table,) in cursor.fetchall():
            cursor.execute(f"DELETE FROM {quoted[table]}")  # noqa: S608
