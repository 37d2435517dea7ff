"""A new installation applies the squashed migrations, an older one each step, to the same effect."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.db import connection, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.autodetector import MigrationAutodetector
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.loader import MigrationLoader

from tests.schema import UnsquashedLoader, unsquashed_executor

# The rows of a new installation. Ids and times differ from one to the next.
FIRST_ROWS = ("patients.ConsentText", "patients.AppointmentTemplate")
# Names that Django or PostgreSQL gives to what has none in the models. Either may have named a unique column.
MADE_UP = re.compile(r"\b\w+_(?:key|[0-9a-f]{8}(?:_\w+)?)\b")
DIFFERING = {"id", "published_at"}


def definitions(statement: str) -> list[str]:
    """Return the columns and constraints of a CREATE TABLE of SQLite, sorted, after its first words."""
    head, _, body = statement.partition("(")
    parts, depth = [""], 0
    for char in body.rpartition(")")[0]:
        depth += (char == "(") - (char == ")")
        if char == "," and not depth:
            parts.append("")
        else:
            parts[-1] += char
    return [head, *sorted(part.strip() for part in parts)]


def schema_of(database: BaseDatabaseWrapper) -> list[Any]:
    """Return everything that the database defines, sorted."""
    with database.cursor() as cursor:
        if database.vendor == "sqlite":
            cursor.execute("SELECT type, sql FROM sqlite_master WHERE sql IS NOT NULL")
            rows = cursor.fetchall()
            found = [definitions(sql) if kind == "table" else [sql] for kind, sql in rows]
        else:
            cursor.execute(
                "SELECT table_name, column_name, column_default, is_nullable, data_type,"
                " character_maximum_length, is_identity FROM information_schema.columns"
                " WHERE table_schema = current_schema()"
                " UNION ALL SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid),"
                " '', '', 0, '' FROM pg_constraint WHERE connamespace = current_schema()::regnamespace"
                " UNION ALL SELECT tablename, indexname, indexdef, '', '', 0, '' FROM pg_indexes"
                " WHERE schemaname = current_schema()"
                " UNION ALL SELECT tgrelid::regclass::text, tgname, pg_get_triggerdef(pg_trigger.oid),"
                " tgenabled::text, '', 0, '' FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid"
                " WHERE NOT tgisinternal AND relnamespace = current_schema()::regnamespace"
            )
            found = [[MADE_UP.sub("made_up", str(value)) for value in row] for row in cursor.fetchall()]
    return sorted(found)


def first_rows() -> list[dict[str, Any]]:
    rows = [row for label in FIRST_ROWS for row in apps.get_model(label).objects.values()]
    return sorted(({key: row[key] for key in row.keys() - DIFFERING} for row in rows), key=repr)


@contextmanager
def empty_database(folder: Path) -> Iterator[BaseDatabaseWrapper]:
    """Replace the test database by one without tables for the length of a block.

    It is a file of SQLite, or a schema of its own in PostgreSQL's test database.
    """
    of_tests, empty = connections["default"], connections.create_connection("default")
    postgresql = empty.vendor == "postgresql"
    if postgresql:
        # The pool, which has the alias for its key, would give a connection to the other schema.
        options = {**empty.settings_dict["OPTIONS"], "options": "-c search_path=scratch", "pool": False}
        empty.settings_dict = {**of_tests.settings_dict, "OPTIONS": options}
    else:
        empty.settings_dict = {**of_tests.settings_dict, "NAME": folder / "scratch.sqlite3"}
    connections["default"] = empty
    try:
        if postgresql:
            with empty.cursor() as cursor:
                cursor.execute("CREATE SCHEMA scratch")
        assert empty.introspection.table_names() == []
        yield empty
    finally:
        if postgresql:
            with empty.cursor() as cursor:
                cursor.execute("DROP SCHEMA scratch CASCADE")
        empty.close()
        connections["default"] = of_tests


def migrated(
    folder: Path, executor_on: Callable[[BaseDatabaseWrapper], MigrationExecutor]
) -> tuple[Any, Any]:
    """Return the schema and the first rows of a database that was empty."""
    folder.mkdir()
    with empty_database(folder) as database:
        executor = executor_on(database)
        executor.migrate(executor.loader.graph.leaf_nodes())
        # Neither with nor without the squashed migrations is anything left to apply.
        for loader in (MigrationLoader(database), UnsquashedLoader(database)):
            seen = MigrationExecutor(database)
            seen.loader = loader
            assert seen.migration_plan(loader.graph.leaf_nodes()) == []
        return schema_of(database), first_rows()


@pytest.mark.migrations
@pytest.mark.django_db
def test_a_new_installation_has_the_database_of_an_older_one(tmp_path: Path) -> None:
    stepwise, first = migrated(tmp_path / "stepwise", unsquashed_executor)
    at_once, also_first = migrated(tmp_path / "at-once", MigrationExecutor)
    assert len(at_once) > 100 < len(stepwise)
    assert at_once == stepwise
    assert len(first) > 3
    assert also_first == first


def test_the_models_are_those_of_each_step() -> None:
    stepwise, at_once = UnsquashedLoader(None), MigrationLoader(None)
    assert len(stepwise.graph.nodes) > len(at_once.graph.nodes)
    for old, new in ((stepwise, at_once), (at_once, stepwise)):
        assert MigrationAutodetector(old.project_state(), new.project_state()).changes(old.graph) == {}


@pytest.mark.django_db
def test_the_test_database_is_that_of_a_new_installation() -> None:
    assert ("clinic", "0001_squashed_0016_lists_of_an_old_clinic") in MigrationLoader(
        connection
    ).applied_migrations
