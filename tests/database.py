"""The fixture `django_db_setup`: each test process gets a copy of a database that is migrated only once.

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

from tests.stash import HAS_DATABASE

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
    pytestconfig.stash[HAS_DATABASE] = True
    yield
    with django_db_blocker.unblock():
        connection.creation.destroy_test_db(before, verbosity=0)


def _create_file(templates: Path, directory: Path) -> None:
    """Put the SQLite database in a file, not in memory: processes that tests start open it too."""
    path = directory / "test.sqlite3"
    with _locked(templates):
        template = templates / f"{_digest()}.sqlite3"
        if not template.exists():
            for outdated in templates.glob("*.sqlite3"):
                outdated.unlink()
            _migrate(template)
        shutil.copyfile(template, path)
    _use(path)
    sys.addaudithook(
        lambda event, args: refuse_to_open_database(str(path), args[0]) if event == "open" else None
    )


def _migrate(template: Path) -> None:
    """Create the file `template` by running the migrations. It gets this name only when it is complete."""
    unfinished = template.with_suffix(".unfinished")
    connection.settings_dict["TEST"]["NAME"] = str(unfinished)
    _create_test_database()
    connection.close()
    assert not unfinished.with_name(f"{unfinished.name}-wal").exists(), "the copy would miss the log's pages"
    unfinished.rename(template)


def _create_test_database() -> None:
    """Create the test database by migrations, with `serialize=False`: no test needs a copy of its rows.

    Django 5.2 serializes by default. Newer versions do not, and deprecate the parameter.
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
    """The directory for the migrated database: pytest's cache, else a directory that all workers share."""
    cache = getattr(config, "cache", None)
    if cache is not None:
        return Path(cache.mkdir("lacuna-migrated"))
    base = tmp_path_factory.getbasetemp()
    shared = (base.parent if hasattr(config, "workerinput") else base) / "migrated"
    shared.mkdir(exist_ok=True)
    return shared


@contextmanager
def _locked(directory: Path) -> Iterator[None]:
    """Hold a lock on `directory` that every process takes before it writes there."""
    with (directory / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _digest() -> str:
    """A digest of all that the migrated database depends on: our files, all migrations, and versions."""
    digest = hashlib.sha256(f"{sys.version} {django.VERSION} {sqlite3.sqlite_version}".encode())
    files = {path for app in apps.get_app_configs() for path in Path(app.path).glob("migrations/*.py")}
    for app in ("clinic", "patients", "erasure"):
        files |= {path for path in (ROOT / app).rglob("*") if path.is_file() and path.suffix != ".pyc"}
    for path in sorted(files):
        digest.update(f"\n{path} ".encode() + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def refuse_to_open_database(database: str, opened: Any) -> None:
    """Audit hook: raise if Python opens the test database itself. Closing it would drop SQLite's locks on it.

    The next process that closes the database would then delete the WAL that this process uses, and later
    tests fail with "attempt to write a readonly database". Read such files with `tests.processes.contents`.
    """
    if isinstance(opened, str | os.PathLike) and os.fspath(opened) in {database, f"{database}-shm"}:
        raise AssertionError(
            f"{opened} is open in this process through SQLite; tests.processes.contents reads it"
        )
