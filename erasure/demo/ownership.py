"""Keeps the demonstration from emptying any database or data directory but its own."""

import shutil
from pathlib import Path

from django.conf import settings
from django.db import connection, connections
from django.db.utils import DatabaseError

from clinic.audit.models import Entry
from patients.vault import configured

MARK = "demonstration"  # the file that marks a data directory as the demonstration's
SECRET_KEY_FILE = "secret-key"  # noqa: S105 - a file name. The settings create the file; `clear_demonstration` leaves it


class NotDemonstration(Exception):
    """The database or data directory is not the demonstration's; the message says what to do."""


def check_ownership() -> bool:
    """Return whether an older demonstration has to be cleared first.

    Errors: NotDemonstration if LACUNA_DEMO is off, or if database and directory are neither empty nor the
    demonstration's.
    """
    if not settings.LACUNA_DEMO:
        raise NotDemonstration(
            "Set LACUNA_DEMO=1: the demonstration has policies of its own. `make demo` does it."
        )
    directory = Path(settings.LACUNA_DATA_DIR)
    tables = set(connection.introspection.table_names())
    marked = (directory / MARK).exists()
    if not tables and (marked or _is_empty(directory)):
        return marked
    if Entry._meta.db_table not in tables or not (_log_begins_with_demo() or (marked and _log_is_empty())):
        raise NotDemonstration(
            "This database is not the demonstration's own, so it stays untouched. "
            "Name an empty one (LACUNA_DATABASE, LACUNA_DATA_DIR) or use `make demo`."
        )
    return True


def is_own_database() -> bool:
    """Return whether this is the demonstration, and its database the demonstration's own."""
    return settings.LACUNA_DEMO and _log_begins_with_demo()


def _is_empty(directory: Path) -> bool:
    """Return whether a data directory holds no more than a secret key and SQLite's files.

    The caller has checked that the database has no tables, so those files hold nothing.
    """
    names = {path.name for path in directory.iterdir()} - {SECRET_KEY_FILE}
    return all(name.startswith("lacuna.sqlite3") for name in names)


def _log_begins_with_demo() -> bool:
    try:
        first = Entry.objects.order_by("index").first()
    except DatabaseError:
        return False
    return first is not None and first.action == "demo.loaded"


def _log_is_empty() -> bool:
    """Return whether the audit log is empty: an earlier demonstration stopped before it recorded anything."""
    return not Entry.objects.exists()


def clear_demonstration() -> None:
    """Remove the older demonstration: tables, ciphertext, keys, audit witness.

    The caller has called `check_ownership`.
    """
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("DROP SCHEMA public CASCADE")
            cursor.execute("CREATE SCHEMA public")
    connections.close_all()
    configured.reset()
    for path in Path(settings.LACUNA_DATA_DIR).iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif path.name != SECRET_KEY_FILE:
            path.unlink()


def mark_as_demonstration() -> None:
    """Mark the data directory, so that the next demonstration may clear it."""
    (Path(settings.LACUNA_DATA_DIR) / MARK).touch()
