"""The database of a test process: a copy of one that a single process has migrated.

Migrating takes two seconds of processor time, and every worker of pytest-xdist needs a database of its own.
"""

import fcntl
import hashlib
import inspect
import os
import shutil
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import django
import pytest
from django.apps import apps
from django.conf import settings
from django.db import connection
from pytest_django import DjangoDbBlocker

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def django_db_setup(
    django_test_environment: None,
    django_db_modify_db_settings_parallel_suffix: None,
    django_db_blocker: DjangoDbBlocker,
    pytestconfig: pytest.Config,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[None]:
    """Give this process a migrated database, and drop it at the end. Replaces pytest-django's fixture."""
    before = connection.settings_dict["NAME"]
    with django_db_blocker.unblock():
        if connection.vendor == "sqlite":
            _create_file(_templates(pytestconfig, tmp_path_factory), tmp_path_factory.mktemp("database"))
        else:
            _create_test_database()
    yield
    with django_db_blocker.unblock():
        connection.creation.destroy_test_db(before, verbosity=0)


def _create_file(templates: Path, directory: Path) -> None:
    """Make SQLite's database a file, because the processes that tests start open it too."""
    path = directory / "test.sqlite3"
    with _locked(templates):
        template = templates / f"{_digest()}.sqlite3"
        if not template.exists():
            for outdated in templates.glob("*.sqlite3"):
                outdated.unlink()
            _migrate(template)
        shutil.copyfile(template, path)
    _use(path)
    sys.addaudithook(lambda event, args: leave_to_sqlite(str(path), args[0]) if event == "open" else None)


def _migrate(template: Path) -> None:
    """Create `template` by Django's migrations. It appears under its name only when it is complete."""
    unfinished = template.with_suffix(".unfinished")
    connection.settings_dict["TEST"]["NAME"] = str(unfinished)
    _create_test_database()
    connection.close()
    assert not unfinished.with_name(f"{unfinished.name}-wal").exists(), "the copy would miss the log's pages"
    unfinished.rename(template)


def _create_test_database() -> None:
    """Create the test database by migrations, without the copy of its rows that Django 5.2 makes by default.

    Newer versions make it only if asked, and deprecate the parameter.
    """
    create = connection.creation.create_test_db
    parameter = inspect.signature(create).parameters.get("serialize")
    if parameter is not None and parameter.default:
        create(verbosity=0, autoclobber=True, serialize=False)
    else:
        create(verbosity=0, autoclobber=True)


def _use(path: Path) -> None:
    """Point this process at the database `path`, as Django's `create_test_db` does."""
    connection.close()
    settings.DATABASES[connection.alias]["NAME"] = connection.settings_dict["NAME"] = str(path)
    connection.ensure_connection()


def _templates(config: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of the migrated database: pytest's cache, or else one that the workers of a run share."""
    cache = getattr(config, "cache", None)
    if cache is not None:
        return Path(cache.mkdir("lacuna-migrated"))
    base = tmp_path_factory.getbasetemp()
    shared = (base.parent if hasattr(config, "workerinput") else base) / "migrated"
    shared.mkdir(exist_ok=True)
    return shared


@contextmanager
def _locked(directory: Path) -> Iterator[None]:
    """Hold the lock on `directory` against the other processes that would write in it."""
    with (directory / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _digest() -> str:
    """A digest of all that decides what migrations make: our files, the migrations, and the versions."""
    digest = hashlib.sha256(f"{sys.version} {django.VERSION} {sqlite3.sqlite_version}".encode())
    files = {path for app in apps.get_app_configs() for path in Path(app.path).glob("migrations/*.py")}
    for room in ("clinic", "patients", "erasure"):
        files |= {path for path in (ROOT / room).rglob("*") if path.is_file() and path.suffix != ".pyc"}
    for path in sorted(files):
        digest.update(f"\n{path} ".encode() + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def leave_to_sqlite(database: str, opened: Any) -> None:
    """Refuse to open the test's database other than through SQLite: closing it drops SQLite's locks on it.

    The next process to leave would then take the log away from under this one, and tests much later fail
    with "attempt to write a readonly database". `tests.house.contents` reads such files.
    """
    if isinstance(opened, str | os.PathLike) and os.fspath(opened) in {database, f"{database}-shm"}:
        raise AssertionError(
            f"{opened} is open in this process through SQLite; tests.house.contents reads it"
        )
