"""A copied state is the one that was made: row for row, byte for byte, and it works."""

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
from tests.snapshots import begin_with

pytestmark = pytest.mark.django_db(transaction=True)


def begin_again() -> None:
    """Take away what there is, as the end of a test does."""
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


def test_a_copy_is_what_was_made_and_works() -> None:
    begin_again()
    begin = begin_with(make_run)
    first = begin(1)
    made = everything()
    begin_again()
    assert everything() != made
    second = begin(1)
    assert second.pk == first.pk
    assert everything() == made
    assert verify_log().problems == []
    keepsake = second.procedure.case.keepsakes.get()
    assert read(keepsake.picture).startswith(b"\xff\xd8")
    make_keepsake(make_memory(second.procedure.case))
    make_user()  # numbers that the database gives go on behind the copied ones
    assert Entry.objects.count() > 0


def test_other_arguments_other_settings_and_other_rows_are_made_anew(settings: Any) -> None:
    begin_again()
    begin = begin_with(make_run)
    runs = {begin(1).pk}
    begin_again()
    runs.add(begin(2).pk)
    begin_again()
    settings.LACUNA_COOLING_OFF_HOURS = 0.0
    runs.add(begin(1).pk)
    begin_again()
    make_user()
    users = User.objects.count()
    runs.add(begin(1).pk)
    assert len(runs) == 4
    assert User.objects.count() > users
