"""The triggers of the audit log as of migration 0002. clinic/audit/triggers.py says what they are now."""

SQLITE = [
    """CREATE TRIGGER clinic_entry_no_update BEFORE UPDATE ON clinic_entry BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END""",
    """CREATE TRIGGER clinic_entry_no_delete BEFORE DELETE ON clinic_entry BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END""",
    """CREATE TRIGGER clinic_entry_no_replace BEFORE INSERT ON clinic_entry
        WHEN EXISTS (SELECT 1 FROM clinic_entry WHERE rowid = NEW.rowid OR "index" = NEW."index")
        BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END""",
    """CREATE TRIGGER clinic_checkpoint_no_update BEFORE UPDATE ON clinic_checkpoint BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END""",
    """CREATE TRIGGER clinic_checkpoint_no_delete BEFORE DELETE ON clinic_checkpoint BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END""",
    """CREATE TRIGGER clinic_checkpoint_no_replace BEFORE INSERT ON clinic_checkpoint
        WHEN EXISTS (SELECT 1 FROM clinic_checkpoint WHERE rowid = NEW.rowid OR "id" = NEW."id")
        BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END""",
]
SQLITE_REVERSE = [
    "DROP TRIGGER IF EXISTS clinic_entry_no_update",
    "DROP TRIGGER IF EXISTS clinic_entry_no_delete",
    "DROP TRIGGER IF EXISTS clinic_entry_no_replace",
    "DROP TRIGGER IF EXISTS clinic_checkpoint_no_update",
    "DROP TRIGGER IF EXISTS clinic_checkpoint_no_delete",
    "DROP TRIGGER IF EXISTS clinic_checkpoint_no_replace",
]
POSTGRESQL = [
    """
    CREATE OR REPLACE FUNCTION clinic_log_refuses() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'the audit log is append-only' USING ERRCODE = 'restrict_violation'; END $$""",
    """CREATE TRIGGER clinic_entry_no_change BEFORE UPDATE OR DELETE ON clinic_entry
        FOR EACH ROW EXECUTE FUNCTION clinic_log_refuses()""",
    "ALTER TABLE clinic_entry ENABLE ALWAYS TRIGGER clinic_entry_no_change",
    """CREATE TRIGGER clinic_entry_no_truncate BEFORE TRUNCATE ON clinic_entry
        FOR EACH STATEMENT EXECUTE FUNCTION clinic_log_refuses()""",
    "ALTER TABLE clinic_entry ENABLE ALWAYS TRIGGER clinic_entry_no_truncate",
    """CREATE TRIGGER clinic_checkpoint_no_change BEFORE UPDATE OR DELETE ON clinic_checkpoint
        FOR EACH ROW EXECUTE FUNCTION clinic_log_refuses()""",
    "ALTER TABLE clinic_checkpoint ENABLE ALWAYS TRIGGER clinic_checkpoint_no_change",
    """CREATE TRIGGER clinic_checkpoint_no_truncate BEFORE TRUNCATE ON clinic_checkpoint
        FOR EACH STATEMENT EXECUTE FUNCTION clinic_log_refuses()""",
    "ALTER TABLE clinic_checkpoint ENABLE ALWAYS TRIGGER clinic_checkpoint_no_truncate",
]
POSTGRESQL_REVERSE = [
    "DROP TRIGGER IF EXISTS clinic_entry_no_change ON clinic_entry",
    "DROP TRIGGER IF EXISTS clinic_entry_no_truncate ON clinic_entry",
    "DROP TRIGGER IF EXISTS clinic_checkpoint_no_change ON clinic_checkpoint",
    "DROP TRIGGER IF EXISTS clinic_checkpoint_no_truncate ON clinic_checkpoint",
    "DROP FUNCTION IF EXISTS clinic_log_refuses()",
]


def install_triggers(apps, schema_editor):
    on_sqlite = schema_editor.connection.vendor == "sqlite"
    execute(schema_editor, SQLITE_REVERSE + SQLITE if on_sqlite else POSTGRESQL_REVERSE + POSTGRESQL)


def remove_triggers(apps, schema_editor):
    on_sqlite = schema_editor.connection.vendor == "sqlite"
    execute(schema_editor, SQLITE_REVERSE if on_sqlite else POSTGRESQL_REVERSE)


def execute(schema_editor, statements):
    # PostgreSQL alters no table while deferred foreign keys to it wait for the commit: check them now.
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.connection.check_constraints()
    with schema_editor.connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
