"""What makes the database itself refuse to change the log, whatever program asks.

Entries and checkpoints can be added and read. Migrations install the triggers, each with its own copy of
the SQL of its time: a change here needs a new one. SQLite drops a table's triggers when a migration remakes
the table, so `missing` is asked at start (checks.py) and by `manage.py verify_audit`.
"""

from django.db.backends.base.base import BaseDatabaseWrapper

TABLES = {"clinic_entry": "index", "clinic_checkpoint": "id"}  # and their primary keys
REFUSAL = "the audit log is append-only"

# INSERT OR REPLACE deletes the old row without asking the DELETE trigger, so it is met before it inserts.
SQLITE = {
    "{table}_no_update": """
        CREATE TRIGGER {name} BEFORE UPDATE ON {table} BEGIN SELECT RAISE(ABORT, '{refusal}'); END""",
    "{table}_no_delete": """
        CREATE TRIGGER {name} BEFORE DELETE ON {table} BEGIN SELECT RAISE(ABORT, '{refusal}'); END""",
    "{table}_no_replace": """
        CREATE TRIGGER {name} BEFORE INSERT ON {table}
        WHEN EXISTS (SELECT 1 FROM {table} WHERE rowid = NEW.rowid OR "{key}" = NEW."{key}")
        BEGIN SELECT RAISE(ABORT, '{refusal}'); END""",
}
# ALWAYS: a session that plays a replica (session_replication_role) would skip an ordinary trigger.
POSTGRESQL_FUNCTION = """
    CREATE OR REPLACE FUNCTION clinic_log_refuses() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION '{refusal}' USING ERRCODE = 'restrict_violation'; END $$"""
POSTGRESQL = {
    "{table}_no_change": """
        CREATE TRIGGER {name} BEFORE UPDATE OR DELETE ON {table}
        FOR EACH ROW EXECUTE FUNCTION clinic_log_refuses();
        ALTER TABLE {table} ENABLE ALWAYS TRIGGER {name}""",
    "{table}_no_truncate": """
        CREATE TRIGGER {name} BEFORE TRUNCATE ON {table}
        FOR EACH STATEMENT EXECUTE FUNCTION clinic_log_refuses();
        ALTER TABLE {table} ENABLE ALWAYS TRIGGER {name}""",
}


def wanted(connection: BaseDatabaseWrapper) -> dict[str, str]:
    """Return the triggers this database should have, name to SQL."""
    patterns = SQLITE if connection.vendor == "sqlite" else POSTGRESQL
    return {
        (name := pattern.format(table=table)): sql.format(name=name, table=table, key=key, refusal=REFUSAL)
        for table, key in TABLES.items()
        for pattern, sql in patterns.items()
    }


def present(connection: BaseDatabaseWrapper) -> set[str]:
    """Return the names of the triggers on the log's tables that fire."""
    if connection.vendor == "sqlite":
        # The text counts too: a trigger of the right name that does nothing is as good as none.
        query = "SELECT name, sql FROM sqlite_master WHERE type = 'trigger'"
    else:
        query = (
            "SELECT t.tgname, '' FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid"
            " WHERE t.tgenabled = 'A' AND pg_table_is_visible(c.oid)"
            " AND t.tgfoid = to_regproc('clinic_log_refuses')"
        )
    with connection.cursor() as cursor:
        cursor.execute(query)
        found = dict(cursor.fetchall())
    if connection.vendor != "sqlite":
        return set(found)
    return {name for name, sql in wanted(connection).items() if found.get(name, "").split() == sql.split()}


def missing(connection: BaseDatabaseWrapper) -> list[str]:
    """Return the names of triggers that should be there and aren't, or that are switched off."""
    return sorted(wanted(connection).keys() - present(connection))


def put(connection: BaseDatabaseWrapper) -> None:
    """Put every missing trigger in place."""
    lacking = missing(connection)
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            # It alters no table while deferred foreign keys to it wait for the commit: look at them now.
            connection.check_constraints()
            cursor.execute(POSTGRESQL_FUNCTION.format(refusal=REFUSAL))
        for name, sql in wanted(connection).items():
            if name in lacking:
                cursor.execute(dropping(connection, name))
                cursor.execute(sql)


def take_away(connection: BaseDatabaseWrapper) -> None:
    """Remove the triggers: for tests that tamper or flush."""
    if connection.vendor == "postgresql":
        connection.check_constraints()
    with connection.cursor() as cursor:
        for name in wanted(connection):
            cursor.execute(dropping(connection, name))
        if connection.vendor == "postgresql":
            cursor.execute("DROP FUNCTION IF EXISTS clinic_log_refuses()")


def dropping(connection: BaseDatabaseWrapper, name: str) -> str:
    on = f" ON {name.rpartition('_no_')[0]}" if connection.vendor == "postgresql" else ""
    return f"DROP TRIGGER IF EXISTS {name}{on}"
