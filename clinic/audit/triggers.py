"""Database triggers that make the audit log append-only for every program.

Entries and checkpoints can be added and read, but not changed or deleted. Migrations install the triggers,
and each migration has its own copy of the SQL: a change here needs a new migration. SQLite drops a table's
triggers when a migration rebuilds the table, so the start-up check (checks.py) and `manage.py verify_audit`
call `missing`.
"""

from django.db.backends.base.base import BaseDatabaseWrapper

TABLES = {"clinic_entry": "index", "clinic_checkpoint": "id"}  # table: primary key column
REFUSAL = "the audit log is append-only"

# INSERT OR REPLACE deletes the old row without firing the DELETE trigger, so an INSERT trigger refuses it.
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
# ENABLE ALWAYS: an ordinary trigger does not fire in a session with session_replication_role = replica.
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
    """Return the SQL of the triggers that this database should have, by name."""
    patterns = SQLITE if connection.vendor == "sqlite" else POSTGRESQL
    return {
        (name := pattern.format(table=table)): sql.format(name=name, table=table, key=key, refusal=REFUSAL)
        for table, key in TABLES.items()
        for pattern, sql in patterns.items()
    }


def present(connection: BaseDatabaseWrapper) -> set[str]:
    """Return the names of the triggers on the log's tables that are installed and enabled."""
    if connection.vendor == "sqlite":
        # The SQL is compared too: somebody could install a trigger of the right name that does nothing.
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
    """Return the names of triggers that are not installed or are disabled."""
    return sorted(wanted(connection).keys() - present(connection))


def install(connection: BaseDatabaseWrapper) -> None:
    """Install every missing trigger."""
    names = missing(connection)
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            # PostgreSQL cannot alter a table while deferred constraints on it are pending: check them now.
            connection.check_constraints()
            cursor.execute(POSTGRESQL_FUNCTION.format(refusal=REFUSAL))
        for name, sql in wanted(connection).items():
            if name in names:
                cursor.execute(drop_sql(connection, name))
                cursor.execute(sql)


def uninstall(connection: BaseDatabaseWrapper) -> None:
    """Remove the triggers, for tests that tamper with the log or flush the database."""
    if connection.vendor == "postgresql":
        connection.check_constraints()
    with connection.cursor() as cursor:
        for name in wanted(connection):
            cursor.execute(drop_sql(connection, name))
        if connection.vendor == "postgresql":
            cursor.execute("DROP FUNCTION IF EXISTS clinic_log_refuses()")


def drop_sql(connection: BaseDatabaseWrapper, name: str) -> str:
    """Return the SQL that drops the trigger `name` if it exists."""
    on = f" ON {name.rpartition('_no_')[0]}" if connection.vendor == "postgresql" else ""
    return f"DROP TRIGGER IF EXISTS {name}{on}"
