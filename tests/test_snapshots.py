"""A copied snapshot equals what the factory made: the same rows and bytes, and the application can use it."""

import shutil
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import connection, transaction

from clinic.accounts.models import User
from clinic.audit.models import Entry
from clinic.audit.verify import verify_log
from patients.vault import configured
from patients.vault.objects import read
from tests.clinic.audit.plugin import empty, unguarded
from tests.factories import make_keepsake, make_memory, make_run, make_user
from tests.snapshots import snapshotted

pytestmark = pytest.mark.django_db(transaction=True)


def clean_up() -> None:
    """Delete all rows and files, as the end of a test does."""
    with transaction.atomic(), unguarded(connection):
        empty(connection)
    shutil.rmtree(settings.LACUNA_DATA_DIR)
    Path(settings.LACUNA_DATA_DIR).mkdir()
    configured.reset()


def everything() -> tuple[list[list[Any]], dict[str, bytes]]:
    """Every row of every table, and every file."""
    with connection.cursor() as cursor:
        tables = []
        for table in sorted(connection.introspection.table_names(cursor)):
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")  # noqa: S608 - our own names
            tables.append([table, *sorted(map(str, cursor.fetchall()))])
    root = Path(settings.LACUNA_DATA_DIR)
    files = {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}
    return tables, files


def test_a_copy_equals_the_original_and_can_be_used() -> None:
    clean_up()
    make_or_copy = snapshotted(make_run)
    first = make_or_copy(1)
    made = everything()
    clean_up()
    assert everything() != made
    second = make_or_copy(1)
    assert second.pk == first.pk
    assert everything() == made
    assert verify_log().problems == []
    keepsake = second.procedure.case.keepsakes.get()
    assert read(keepsake.picture).startswith(b"\xff\xd8")
    make_keepsake(make_memory(second.procedure.case))
    make_user()  # numbers that the database gives go on behind the copied ones
    assert Entry.objects.count() > 0


def test_other_arguments_settings_or_rows_run_the_factory_again(settings: Any) -> None:
    clean_up()
    make_or_copy = snapshotted(make_run)
    runs = {make_or_copy(1).pk}
    clean_up()
    runs.add(make_or_copy(2).pk)
    clean_up()
    settings.LACUNA_LEASE_SECONDS = 61.0
    runs.add(make_or_copy(1).pk)
    clean_up()
    make_user()
    users = User.objects.count()
    runs.add(make_or_copy(1).pk)
    assert len(runs) == 4
    assert User.objects.count() > users
