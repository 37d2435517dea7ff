"""The fixture `schema`: a database of an earlier version, for tests of migrations that convert rows."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.state import StateApps


class Schema:
    """The schema of the test database. It has the newest one before and after each test."""

    def __init__(self) -> None:
        self._newest = True

    def undo_after(self, *targets: tuple[str, str]) -> StateApps:
        """Undo every migration after `targets`, (app, migration) each. Return the models of that time."""
        self._newest = False
        executor = MigrationExecutor(connection)
        executor.migrate(list(targets))
        apps: StateApps = executor.loader.project_state(list(targets)).apps
        return apps

    def redo(self) -> None:
        """Apply every migration again, of all apps: those that depend on the undone ones were undone too."""
        if not self._newest:
            executor = MigrationExecutor(connection)
            executor.migrate(executor.loader.graph.leaf_nodes())
            self._newest = True


@contextmanager
def newest_schema_afterwards() -> Iterator[Schema]:
    """Give the schema of the test database to a block, and restore the newest one at its end."""
    schema = Schema()
    try:
        yield schema
    finally:
        schema.redo()


@pytest.fixture
def schema(transactional_db: None) -> Iterator[Schema]:
    """The test calls `undo_after`, writes rows, calls `redo`, and reads them.

    A test may be cut off by its time limit with the older schema, in which every later test of this process
    would fail. So the end of the test restores it, within a limit of its own.
    """
    with newest_schema_afterwards() as schema:
        yield schema
