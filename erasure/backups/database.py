"""Copy the database into one file as of one moment, and restore it from there, whole or not at all."""

import os
import secrets
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote

import psycopg
from django.conf import settings
from django.db import connection, connections, transaction

from clinic import durable
from clinic.durable import sync_directory
from erasure.backups.manifest import BackupRefused
from patients.vault.models import CaseKey, KeyHouse, WrappedKey

NAMES = {"sqlite": "database.sqlite3", "postgresql": "database.dump"}
# The key store of several machines. It is never in a backup, and must exist before a backup is restored.
KEY_TABLES = frozenset(model._meta.db_table for model in (KeyHouse, CaseKey, WrappedKey))
LIVE_OBJECTS_SQL = "SELECT blob FROM patients_storedobject WHERE state = 'live' AND blob <> ''"
LOG_SIZE_SQL = "SELECT size FROM clinic_treehead"


class Cursor(Protocol):
    """The part of a database cursor that a drill needs, for SQLite and PostgreSQL."""

    @property
    def description(self) -> Sequence[Sequence[Any]] | None: ...

    def execute(self, query: Any, /) -> Any: ...

    def fetchall(self) -> Sequence[Any]: ...


@dataclass(frozen=True)
class Snapshot:
    """A copy of the database: its file, the live objects that it names, the number of audit entries."""

    file: Path
    objects: list[str]
    log_size: int


def take(directory: Path) -> Snapshot:
    """Write a consistent copy of the database into `directory`. It is durable on return.

    Errors: BackupRefused, OSError.
    """
    file = directory / NAMES[connection.vendor]
    objects, size = _take_sqlite(file) if connection.vendor == "sqlite" else _take_postgresql(file)
    file.chmod(0o600)
    with file.open("rb") as written:
        durable.fsync(written.fileno())
    return Snapshot(file, objects, size)


def _take_sqlite(file: Path) -> tuple[list[str], int]:
    """Copy by SQLite's online backup: in one read transaction, while others may write.

    Return the names of live objects and the number of audit entries.
    """
    source = f"file:{quote(str(connection.settings_dict['NAME']))}?mode=ro"
    try:
        with (
            closing(sqlite3.connect(source, uri=True, timeout=20)) as original,
            closing(open_sqlite(file)) as copy,
        ):
            original.backup(copy)
            # So that the copy is one file, without a write-ahead log beside it.
            copy.execute("PRAGMA journal_mode=DELETE")
            (result,) = copy.execute("PRAGMA integrity_check").fetchone()
            if result != "ok":
                raise BackupRefused(f"The copy of the database is damaged: {result}")
            objects = [name for (name,) in copy.execute(LIVE_OBJECTS_SQL)]
            return objects, _size_or_zero(copy.execute(LOG_SIZE_SQL).fetchone())
    except sqlite3.Error as error:
        raise BackupRefused(f"The database could not be copied: {error}.") from error


def open_sqlite(file: Path) -> sqlite3.Connection:
    return sqlite3.connect(file)


def _size_or_zero(row: tuple[int] | None) -> int:
    return row[0] if row else 0


def _take_postgresql(file: Path) -> tuple[list[str], int]:
    """Copy by `pg_dump`, on a snapshot that this transaction exports and also reads the names from.

    Return the names of live objects and the number of audit entries.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        cursor.execute("SELECT pg_export_snapshot()")
        (snapshot,) = cursor.fetchone()
        _run_tool(
            "pg_dump",
            "--format=custom",
            "--no-owner",
            "--no-privileges",
            f"--snapshot={snapshot}",
            f"--file={file}",
            *_options_without_keys(),
        )
        cursor.execute(LIVE_OBJECTS_SQL)
        objects = [name for (name,) in cursor.fetchall()]
        cursor.execute(LOG_SIZE_SQL)
        size = _size_or_zero(cursor.fetchone())
    _run_tool("pg_restore", "--list", str(file))  # fails if the dump was cut short
    return objects, size


def _keys_are_in_database() -> bool:
    return settings.LACUNA_KEYS == "database"


def _options_without_keys() -> list[str]:
    """Return the options that make pg_dump leave out the key store.

    If the keys are not in the database, the empty tables are dumped, so that a restore creates them.
    """
    option = "--exclude-table" if _keys_are_in_database() else "--exclude-table-data"
    return [f"{option}={table}" for table in sorted(KEY_TABLES)]


def _run_tool(name: str, *arguments: str, database: str = "") -> None:
    """Run a PostgreSQL client program on our database, or on `database` of the same server.

    Errors: BackupRefused if it is not installed or fails.
    """
    program, chosen = shutil.which(name), connection.settings_dict
    if program is None:
        raise BackupRefused(f"{name} is not installed. It comes with PostgreSQL's client programs.")
    variables = {"PGHOST": "HOST", "PGPORT": "PORT", "PGUSER": "USER", "PGPASSWORD": "PASSWORD"}
    address = {variable: str(chosen[key]) for variable, key in variables.items() if chosen[key]}
    ended = subprocess.run(  # noqa: S603 - its arguments are ours
        [program, *arguments],
        env={**os.environ, **address, "PGDATABASE": database or chosen["NAME"]},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if ended.returncode:
        raise BackupRefused(f"{name} failed: {ended.stderr.strip()[-400:]}")


def check_empty() -> None:
    """Check that the configured database is empty, except for the key tables if the keys are stored in it.

    Errors: BackupRefused.
    """
    tables = set(connection.introspection.table_names())
    in_database = _keys_are_in_database()
    has_keys = in_database and tables >= KEY_TABLES and WrappedKey.objects.filter(live=True).exists()
    connections.close_all()
    if in_database:
        if not has_keys:
            raise BackupRefused(
                "The keys of this installation are in tables of its database, which no backup holds. Copy "
                f"these into the empty database first: {', '.join(sorted(KEY_TABLES))} (docs/keys.md)."
            )
        tables -= KEY_TABLES
    if tables:
        raise BackupRefused(
            "The database is not empty, and nothing is ever overwritten. Name an empty one (LACUNA_DATABASE)."
        )


def restore(file: Path) -> None:
    """Restore `file` into the configured database, which must be empty: all of it or nothing.

    Errors: BackupRefused, OSError.
    """
    if connection.vendor == "sqlite":
        _restore_sqlite(file, Path(connection.settings_dict["NAME"]))
    else:
        _restore_postgresql(file, connection.settings_dict["NAME"])


def _restore_sqlite(file: Path, place: Path) -> None:
    connections.close_all()
    draft = place.with_name(f".{place.name}.{secrets.token_hex(4)}")
    try:
        shutil.copyfile(file, draft)
        draft.chmod(0o600)
        with draft.open("rb") as written:
            durable.fsync(written.fileno())
        for suffix in ("-wal", "-shm"):  # of the empty database here: SQLite would replay them
            place.with_name(place.name + suffix).unlink(missing_ok=True)
        sync_directory(place.parent)  # else a power cut could leave the new database with the old one's log
        draft.replace(place)
        sync_directory(place.parent)
    finally:
        draft.unlink(missing_ok=True)


def _restore_postgresql(file: Path, name: str) -> None:
    options = ("--single-transaction", "--exit-on-error", "--no-owner", "--no-privileges")
    _run_tool("pg_restore", *options, f"--dbname={name}", str(file), database=name)


@contextmanager
def refusing_other_versions(error_type: type[Exception]) -> Iterator[None]:
    """Turn `error_type` into BackupRefused: the backup's tables differ from those of this version."""
    try:
        yield
    except error_type as error:
        raise BackupRefused(f"The backup's database is of another version: {error}".rstrip()) from error


@contextmanager
def scratch_copy(file: Path, directory: Path) -> Iterator[Cursor]:
    """Make a temporary copy of the backup's database and yield a cursor on it.

    It does not use Django's connections, so a backup of an older version can be read too. directory: for the
    copy of a SQLite database. With PostgreSQL the copy is another database on our server, so our role needs
    CREATEDB. Errors: BackupRefused, OSError, django.db.Error.
    """
    if connection.vendor == "sqlite":
        path = directory / file.name
        shutil.copyfile(file, path)
        with closing(sqlite3.connect(path)) as copy, refusing_other_versions(sqlite3.Error):
            yield copy.cursor()
        return
    name = f"lacuna_drill_{secrets.token_hex(6)}"
    quoted = connection.ops.quote_name(name)
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {quoted} TEMPLATE template0")
    try:
        _restore_postgresql(file, name)
        chosen = connection.settings_dict
        with (
            psycopg.connect(
                dbname=name,
                host=chosen["HOST"] or None,
                port=chosen["PORT"] or None,
                user=chosen["USER"] or None,
                password=chosen["PASSWORD"] or None,
            ) as copy,
            refusing_other_versions(psycopg.Error),
        ):
            yield copy.cursor()
    finally:
        with connection.cursor() as cursor:
            cursor.execute(f"DROP DATABASE {quoted}")
