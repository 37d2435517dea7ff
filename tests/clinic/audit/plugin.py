"""What a test run needs because the log cannot be emptied: tests/conftest.py imports these fixtures."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.base.operations import BaseDatabaseOperations

from clinic.audit import triggers


@contextmanager
def unguarded(connection: BaseDatabaseWrapper) -> Iterator[None]:
    """Take the log's triggers away while something is done that they refuse, and put back what was there."""
    guarded = not triggers.missing(connection)
    triggers.take_away(connection)
    try:
        yield
    finally:
        if guarded:
            triggers.put(connection)


@pytest.fixture(scope="session", autouse=True)
def log_can_be_flushed() -> Iterator[None]:
    """Let the flush after a `transaction=True` test empty the log, which the database would refuse."""
    original = BaseDatabaseOperations.execute_sql_flush

    def flush(operations: BaseDatabaseOperations, sql_list: Sequence[str]) -> None:
        with unguarded(operations.connection):
            original(operations, sql_list)

    BaseDatabaseOperations.execute_sql_flush = flush  # type: ignore[method-assign]
    yield
    BaseDatabaseOperations.execute_sql_flush = original  # type: ignore[method-assign]
