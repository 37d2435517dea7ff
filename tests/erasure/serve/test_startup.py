"""What must be true before the house opens."""

from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection
from pytest_django import Settings

from clinic.audit import triggers
from erasure.serve.startup import CannotOpen, check_keys, check_log, check_migrations, lay_out_static
from patients.vault import configured
from patients.vault.configured import key_store
from tests.factories import make_case

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_sound_house_may_open() -> None:
    check_migrations()
    check_log()
    check_keys()


def test_a_database_behind_its_code_may_not() -> None:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE django_migrations SET app = 'away' WHERE app = 'erasure'")
    try:
        with pytest.raises(CannotOpen, match="database is not that of this version"):
            check_migrations()
    finally:
        with connection.cursor() as cursor:
            cursor.execute("UPDATE django_migrations SET app = 'erasure' WHERE app = 'away'")


def test_a_log_that_could_be_changed_may_not() -> None:
    triggers.take_away(connection)
    try:
        with pytest.raises(CannotOpen, match="its trigger clinic_"):
            check_log()
    finally:
        triggers.put(connection)


def test_a_damaged_key_store_may_not() -> None:
    make_case()
    key_store()
    configured.reset()
    Path(settings.LACUNA_ROOT_KEY_FILE).unlink()
    with pytest.raises(CannotOpen, match="The key store cannot be opened"):
        check_keys()


def test_static_files_are_laid_out_once_and_again_when_one_is_newer(
    tmp_path: Path, settings: Settings
) -> None:
    ours = tmp_path / "ours"
    ours.mkdir()
    (ours / "a.css").write_text("a{}")
    settings.STATICFILES_DIRS, settings.STATIC_ROOT = [ours], tmp_path / "static"
    settings.STATICFILES_FINDERS = ["django.contrib.staticfiles.finders.FileSystemFinder"]
    settings.STORAGES = settings.STORAGES | {
        "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"}
    }
    lay_out_static()
    manifest = tmp_path / "static" / "staticfiles.json"
    first = manifest.read_text()
    manifest.touch()
    (tmp_path / "static" / "a.css").unlink()
    lay_out_static()
    assert not (tmp_path / "static" / "a.css").exists()
    (ours / "b.css").write_text("b{}")
    lay_out_static()
    assert (tmp_path / "static" / "b.css").exists()
    assert manifest.read_text() != first
