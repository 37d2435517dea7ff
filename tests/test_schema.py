"""The fixture `schema` leaves the newest schema, also if its test was cut off."""

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from tests.limits import LIMITS, limit
from tests.schema import Schema, newest_schema_afterwards


def columns_of_runs() -> set[str]:
    with connection.cursor() as cursor:
        return {
            column.name for column in connection.introspection.get_table_description(cursor, "erasure_run")
        }


def cut_off_with_an_older_schema() -> None:
    with newest_schema_afterwards() as schema:
        newest = columns_of_runs()
        schema.undo_after(("erasure", "0007_safe_words"))
        assert columns_of_runs() < newest
        raise TimeoutError


@pytest.mark.migrations
@pytest.mark.django_db(transaction=True)
def test_a_test_that_was_cut_off_leaves_the_newest_schema() -> None:
    newest = columns_of_runs()
    with pytest.raises(TimeoutError):
        cut_off_with_an_older_schema()
    assert columns_of_runs() == newest
    executor = MigrationExecutor(connection)
    assert executor.migration_plan(executor.loader.graph.leaf_nodes()) == []


def test_a_test_of_a_migration_has_the_time_that_it_needs(
    schema: Schema, request: pytest.FixtureRequest
) -> None:
    assert limit(request.node) == LIMITS["migrations"] > 60
