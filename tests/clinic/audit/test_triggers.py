"""L2: the database refuses changes to the log, also by raw SQL, and missing triggers are noticed."""

import pytest
from django.core.checks.registry import registry
from django.db import IntegrityError, connection, transaction
from django.db.models import CharField

from clinic.audit import checks, triggers
from clinic.audit.checkpoints import checkpoint
from clinic.audit.models import Checkpoint, Entry
from clinic.audit.verify import verify_log
from erasure.operations.startup import CannotStart, check_log
from tests.clinic.audit.factories import a_log, copy_of_entry

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("guarded")]

EVERYWHERE = [
    "UPDATE clinic_entry SET reason = 'x' WHERE \"index\" = 1",
    "UPDATE clinic_entry SET leaf = leaf",
    'DELETE FROM clinic_entry WHERE "index" = 2',
    "DELETE FROM clinic_entry",
    "UPDATE clinic_checkpoint SET note = 'x'",
    "DELETE FROM clinic_checkpoint",
]
ON_SQLITE = [
    copy_of_entry(0, 1).replace("INSERT", "INSERT OR REPLACE"),
    copy_of_entry(0, 9)
    .replace("INSERT", "INSERT OR REPLACE")
    .replace('("index"', '(rowid, "index"')
    .replace("SELECT 9", "SELECT 1, 9"),
    "REPLACE INTO clinic_checkpoint SELECT id, 7, root, note, reason, at FROM clinic_checkpoint",
    'UPDATE OR REPLACE clinic_entry SET "index" = 0 WHERE "index" = 1',
]
ON_POSTGRESQL = [
    "TRUNCATE clinic_entry CASCADE",
    "TRUNCATE clinic_checkpoint CASCADE",
    "SET session_replication_role = replica; DELETE FROM clinic_entry",
    copy_of_entry(0, 1) + " ON CONFLICT (\"index\") DO UPDATE SET reason = 'x'",
]


def log_rows() -> list[object]:
    return [*Entry.objects.values(), *Checkpoint.objects.values()]


@pytest.mark.parametrize(
    "statement",
    [
        *EVERYWHERE,
        *(pytest.param(statement, marks=pytest.mark.only_on("sqlite")) for statement in ON_SQLITE),
        *(pytest.param(statement, marks=pytest.mark.only_on("postgresql")) for statement in ON_POSTGRESQL),
    ],
)
def test_l2_the_log_is_not_changed(statement: str) -> None:
    a_log(3)
    checkpoint("test")
    before = log_rows()
    with (
        pytest.raises(IntegrityError, match="append-only"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(statement)
    assert log_rows() == before


def test_l2_models_cannot_change_the_log() -> None:
    first, second = a_log(2)
    for change in (first.delete, first.save, Entry.objects.all().delete):
        with pytest.raises(IntegrityError, match="append-only"), transaction.atomic():
            change()
    assert [entry.pk for entry in Entry.objects.all()] == [first.pk, second.pk]


def test_without_triggers_entries_can_be_deleted() -> None:
    a_log(2)
    triggers.uninstall(connection)
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM clinic_entry")
    assert not Entry.objects.exists()


def test_l2_every_missing_trigger_is_named() -> None:
    assert triggers.missing(connection) == []
    names = sorted(triggers.wanted(connection))
    for name in names:
        with connection.cursor() as cursor:
            cursor.execute(triggers.drop_sql(connection, name))
        assert triggers.missing(connection) == [name]
        triggers.install(connection)
    triggers.uninstall(connection)
    assert triggers.missing(connection) == names
    triggers.install(connection)
    assert triggers.missing(connection) == []


def test_l2_a_trigger_that_does_nothing_is_missing() -> None:
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            name = "clinic_entry_no_delete"
            cursor.execute(f"DROP TRIGGER {name}")
            cursor.execute(f"CREATE TRIGGER {name} BEFORE DELETE ON clinic_entry BEGIN SELECT 1; END")
        else:
            name = "clinic_entry_no_change"
            cursor.execute(f"ALTER TABLE clinic_entry DISABLE TRIGGER {name}")
    assert triggers.missing(connection) == [name]


def test_l2_the_system_check_names_missing_triggers() -> None:
    assert checks.log_is_guarded in registry.registered_checks
    assert checks.log_is_guarded(databases=["default"]) == []
    triggers.uninstall(connection)
    errors = checks.log_is_guarded(databases=["default"])
    assert [error.id for error in errors] == ["clinic.E001"] * len(triggers.wanted(connection))
    assert checks.log_is_guarded(databases=None) == []


@pytest.mark.django_db(transaction=True)
def test_l2_without_triggers_after_a_migration_the_server_does_not_start() -> None:
    """SQLite alters a table by copying it, which drops its triggers. PostgreSQL keeps them."""
    field = Entry._meta.get_field("reason")
    wider = CharField(max_length=501, blank=True)
    wider.set_attributes_from_name("reason")
    wider.model = Entry
    with connection.schema_editor() as editor:
        editor.alter_field(Entry, field, wider)
    names = sorted(name for name in triggers.wanted(connection) if name.startswith("clinic_entry_"))
    lost = names if connection.vendor == "sqlite" else []
    try:
        assert triggers.missing(connection) == lost
        assert len(checks.log_is_guarded(databases=["default"])) == len(lost)
        assert len(verify_log().problems) == len(lost)
        if lost:
            with pytest.raises(CannotStart, match="its trigger clinic_entry_no_delete is missing"):
                check_log()
    finally:
        with connection.schema_editor() as editor:
            editor.alter_field(Entry, wider, field)
        triggers.install(connection)
    assert triggers.missing(connection) == []
    check_log()


@pytest.mark.django_db(transaction=True)
def test_the_flush_after_a_transactional_test_empties_the_log() -> None:
    a_log(2)  # what is tested is that the flush after this test succeeds
    assert Entry.objects.count() == 2
