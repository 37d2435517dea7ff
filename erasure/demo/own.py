"""Making sure that the demonstration only ever empties its own database."""

import shutil
from pathlib import Path

from django.conf import settings
from django.db import connection, connections
from django.db.utils import DatabaseError

from clinic.audit.models import Entry
from patients.vault import configured

MARK = "demonstration"  # a file in the data directory, made by the demonstration alone


class NotOurs(Exception):
    """This is not the demonstration's own house; the message says what to do."""


def check_ours() -> bool:
    """Return whether there is an older demonstration to clear. Errors: NotOurs for anything else."""
    if not settings.LACUNA_DEMO:
        raise NotOurs("Set LACUNA_DEMO=1: the demonstration has policies of its own. `make demo` does it.")
    tables = set(connection.introspection.table_names())
    files = [path for path in Path(settings.LACUNA_DATA_DIR).iterdir() if path.name != "secret-key"]
    marked = (Path(settings.LACUNA_DATA_DIR) / MARK).exists()
    if not tables and (marked or not _foreign(files)):
        return marked
    if Entry._meta.db_table not in tables or not (_begins_with_demo() or (marked and _unwritten())):
        raise NotOurs(
            "This database is not the demonstration's own, so it stays untouched. "
            "Name an empty one (LACUNA_DATABASE, LACUNA_DATA_DIR) or use `make demo`."
        )
    return True


def _foreign(files: list[Path]) -> list[Path]:
    """Files that an empty house would not have; the database file itself is empty when it has no tables."""
    return [path for path in files if not path.name.startswith("lacuna.sqlite3")]


def _begins_with_demo() -> bool:
    try:
        first = Entry.objects.order_by("index").first()
    except DatabaseError:
        return False
    return first is not None and first.action == "demo.loaded"


def _unwritten() -> bool:
    """Whether the log is empty: an earlier demonstration ended before it had begun."""
    return not Entry.objects.exists()


def clear() -> None:
    """Remove the older demonstration: tables, ciphertext, keys, witness. Call after `check_ours` only."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("DROP SCHEMA public CASCADE")
            cursor.execute("CREATE SCHEMA public")
    connections.close_all()
    configured.reset()
    for path in Path(settings.LACUNA_DATA_DIR).iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif path.name != "secret-key":
            path.unlink()


def mark() -> None:
    """Leave the sign by which the next demonstration knows its own."""
    (Path(settings.LACUNA_DATA_DIR) / MARK).touch()
