"""The database as one file: taken at one moment while the house goes on, brought back whole or not."""

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
# The key store of several machines: never in a backup, and there before one is brought back.
KEY_TABLES = frozenset(model._meta.db_table for model in (KeyHouse, CaseKey, WrappedKey))
LIVE = "SELECT blob FROM patients_storedobject WHERE state = 'live' AND blob <> ''"
SIZE = "SELECT size FROM clinic_treehead"


class Cursor(Protocol):
    """What both databases' cursors have in common, as far as a drill needs it."""

    @property
    def description(self) -> Sequence[Sequence[Any]] | None: ...

    def execute(self, query: Any, /) -> Any: ...

    def fetchall(self) -> Sequence[Any]: ...


@dataclass(frozen=True)
class Snapshot:
    """The database at one moment: its file, the vault's objects that it names, how long its log is."""

    file: Path
    objects: list[str]
    log_size: int


def take(directory: Path) -> Snapshot:
    """Write the database into `directory`, as it is at one moment, durable on return.

    Errors: BackupRefused, OSError.
    """
    file = directory / NAMES[connection.vendor]
    objects, size = _take_sqlite(file) if connection.vendor == "sqlite" else _take_postgresql(file)
    file.chmod(0o600)
    with file.open("rb") as written:
        durable.fsync(written.fileno())
    return Snapshot(file, objects, size)


def _take_sqlite(file: Path) -> tuple[list[str], int]:
    """SQLite's own online backup: one read transaction, beside which others go on writing."""
    source = f"file:{quote(str(connection.settings_dict['NAME']))}?mode=ro"
    try:
        with (
            closing(sqlite3.connect(source, uri=True, timeout=20)) as living,
            closing(open_sqlite(file)) as copy,
        ):
            living.backup(copy)
            # The copy is one file, without a log of writes beside it.
            copy.execute("PRAGMA journal_mode=DELETE")
            (sound,) = copy.execute("PRAGMA integrity_check").fetchone()
            if sound != "ok":
                raise BackupRefused(f"The copy of the database is not sound: {sound}")
            return [name for (name,) in copy.execute(LIVE)], _one(copy.execute(SIZE).fetchone())
    except sqlite3.Error as error:
        raise BackupRefused(f"The database could not be copied: {error}.") from error


def open_sqlite(file: Path) -> sqlite3.Connection:
    return sqlite3.connect(file)


def _one(row: tuple[int] | None) -> int:
    return row[0] if row else 0


def _take_postgresql(file: Path) -> tuple[list[str], int]:
    """`pg_dump` on a snapshot that this transaction exports, and in which it reads the names itself."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        cursor.execute("SELECT pg_export_snapshot()")
        (snapshot,) = cursor.fetchone()
        _tool(
            "pg_dump",
            "--format=custom",
            "--no-owner",
            "--no-privileges",
            f"--snapshot={snapshot}",
            f"--file={file}",
            *_without_keys(),
        )
        cursor.execute(LIVE)
        objects = [name for (name,) in cursor.fetchall()]
        cursor.execute(SIZE)
        size = _one(cursor.fetchone())
    _tool("pg_restore", "--list", str(file))  # a dump that was cut short has no readable end
    return objects, size


def _keys_are_here() -> bool:
    return settings.LACUNA_KEYS == "database"


def _without_keys() -> list[str]:
    """What has pg_dump leave the key store out; where keys stand elsewhere its empty tables are laid out."""
    option = "--exclude-table" if _keys_are_here() else "--exclude-table-data"
    return [f"{option}={table}" for table in sorted(KEY_TABLES)]


def _tool(name: str, *arguments: str, database: str = "") -> None:
    """Run one of PostgreSQL's own programs on our database, or on `database` of the same server."""
    program, chosen = shutil.which(name), connection.settings_dict
    if program is None:
        raise BackupRefused(f"{name} is not installed. It comes with PostgreSQL's client programs.")
    named = {"PGHOST": "HOST", "PGPORT": "PORT", "PGUSER": "USER", "PGPASSWORD": "PASSWORD"}
    given = {variable: str(chosen[key]) for variable, key in named.items() if chosen[key]}
    ended = subprocess.run(  # noqa: S603 - its arguments are ours
        [program, *arguments],
        env={**os.environ, **given, "PGDATABASE": database or chosen["NAME"]},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if ended.returncode:
        raise BackupRefused(f"{name} failed: {ended.stderr.strip()[-400:]}")


def check_empty() -> None:
    """Errors: BackupRefused where the database that the settings name holds anything, or lacks its keys."""
    tables = set(connection.introspection.table_names())
    keys = _keys_are_here() and tables >= KEY_TABLES and WrappedKey.objects.filter(live=True).exists()
    connections.close_all()
    if _keys_are_here():
        if not keys:
            raise BackupRefused(
                "The keys of this house stand in tables of its database, which no backup holds. Bring these "
                f"into the empty database first: {', '.join(sorted(KEY_TABLES))} (docs/keys.md)."
            )
        tables -= KEY_TABLES
    if tables:
        raise BackupRefused(
            "The database is not empty, and nothing is ever overwritten. Name an empty one (LACUNA_DATABASE)."
        )


def bring_back(file: Path) -> None:
    """Make `file` the database that the settings name, which is empty; all of it or nothing.

    Errors: BackupRefused, OSError.
    """
    if connection.vendor == "sqlite":
        _bring_back_sqlite(file, Path(connection.settings_dict["NAME"]))
    else:
        _load(file, connection.settings_dict["NAME"])


def _bring_back_sqlite(file: Path, place: Path) -> None:
    connections.close_all()
    draft = place.with_name(f".{place.name}.{secrets.token_hex(4)}")
    try:
        shutil.copyfile(file, draft)
        draft.chmod(0o600)
        with draft.open("rb") as written:
            durable.fsync(written.fileno())
        for suffix in ("-wal", "-shm"):  # of the empty database that stood here: they would be replayed
            place.with_name(place.name + suffix).unlink(missing_ok=True)
        sync_directory(place.parent)  # or a power cut could leave the new database beside the old one's log
        draft.replace(place)
        sync_directory(place.parent)
    finally:
        draft.unlink(missing_ok=True)


def _load(file: Path, name: str) -> None:
    whole = ("--single-transaction", "--exit-on-error", "--no-owner", "--no-privileges")
    _tool("pg_restore", *whole, f"--dbname={name}", str(file), database=name)


@contextmanager
def readable(error_type: type[Exception]) -> Iterator[None]:
    """Errors: BackupRefused where the backup's tables are not as this version reads them."""
    try:
        yield
    except error_type as error:
        raise BackupRefused(f"The backup's database is of another version: {error}".rstrip()) from error


@contextmanager
def scratch(file: Path, directory: Path) -> Iterator[Cursor]:
    """A copy of the backup's database, yielded as a cursor on it, and gone afterwards.

    Apart from Django's own connections, so that a backup of an older version can be read too. `directory`:
    where SQLite's copy is put. PostgreSQL's is a database of its own beside ours, which our role must be
    allowed to make. Errors: BackupRefused, OSError, django.db.Error.
    """
    if connection.vendor == "sqlite":
        place = directory / file.name
        shutil.copyfile(file, place)
        with closing(sqlite3.connect(place)) as opened, readable(sqlite3.Error):
            yield opened.cursor()
        return
    name = f"lacuna_drill_{secrets.token_hex(6)}"
    quoted = connection.ops.quote_name(name)
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {quoted} TEMPLATE template0")
    try:
        _load(file, name)
        chosen = connection.settings_dict
        with (
            psycopg.connect(
                dbname=name,
                host=chosen["HOST"] or None,
                port=chosen["PORT"] or None,
                user=chosen["USER"] or None,
                password=chosen["PASSWORD"] or None,
            ) as scratched,
            readable(psycopg.Error),
        ):
            yield scratched.cursor()
    finally:
        with connection.cursor() as cursor:
            cursor.execute(f"DROP DATABASE {quoted}")
