"""The fixture `schema`: a database of an earlier version, for tests of migrations that convert rows."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.db import connection
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.state import StateApps


class UnsquashedLoader(MigrationLoader):
    """Loads the migrations of an older installation: all but the squashed ones."""

    def load_disk(self) -> None:
        super().load_disk()
        migrations = self.disk_migrations
        squashed = {
            key: migration.replaces[-1]
            for key, migration in migrations.items()
            if migration.replaces and migrations.keys() >= set(migration.replaces)
        }
        self.disk_migrations = {key: value for key, value in migrations.items() if key not in squashed}
        for migration in self.disk_migrations.values():
            migration.dependencies = [squashed.get(key, key) for key in migration.dependencies]


def unsquashed_executor(on: BaseDatabaseWrapper) -> MigrationExecutor:
    """Return an executor that applies and undoes the migrations of an older installation, one by one."""
    executor = MigrationExecutor(on)
    executor.loader = UnsquashedLoader(on)
    return executor


class Schema:
    """The schema of the test database. It has the newest one before and after each test."""

    def __init__(self) -> None:
        self._newest = True

    def undo_after(self, *targets: tuple[str, str]) -> StateApps:
        """Undo every migration after `targets`, (app, migration) each. Return the models of that time."""
        self._newest = False
        executor = unsquashed_executor(connection)
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

    A test that its time limit cuts off may leave the older schema. Then every later test of this process
    would fail. So the end of the fixture restores the newest one, within a limit of its own.
    """
    with newest_schema_afterwards() as schema:
        yield schema
