"""The checks before the server starts."""

import logging
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection, transaction
from pytest_django import Settings

from clinic.audit import triggers
from clinic.audit.checkpoints import checkpoint, signing_key
from clinic.audit.record import Act, record
from erasure.operations.startup import (
    CannotStart,
    check_keys,
    check_log,
    check_migrations,
    check_redis,
    check_signature,
    check_storage,
    collect_static,
)
from patients.vault import configured, slots
from patients.vault.configured import key_store
from patients.vault.models import StoredObject
from patients.vault.volume import volume_warnings
from tests.factories import make_case

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize("check", [check_migrations, check_log, check_keys])
def test_the_checks_pass_on_a_sound_installation(check: Callable[[], None]) -> None:
    """The tests below expect CannotStart of these checks; here none is raised."""
    assert check() is None  # type: ignore[func-returns-value]


def test_a_database_without_the_latest_migrations_is_refused() -> None:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE django_migrations SET app = 'away' WHERE app = 'erasure'")
    try:
        with pytest.raises(CannotStart, match="database is not that of this version"):
            check_migrations()
    finally:
        with connection.cursor() as cursor:
            cursor.execute("UPDATE django_migrations SET app = 'erasure' WHERE app = 'away'")


def test_a_log_without_its_triggers_is_refused() -> None:
    triggers.uninstall(connection)
    try:
        with pytest.raises(CannotStart, match="its trigger clinic_"):
            check_log()
    finally:
        triggers.install(connection)


def test_another_signing_key_is_refused_and_a_missing_one_not_created(settings: Settings) -> None:
    check_signature()
    checkpoint("test")
    check_signature()
    own = Path(settings.LACUNA_SIGNING_KEY_FILE)
    settings.LACUNA_SIGNING_KEY_FILE = own.with_name("another-machines")
    with pytest.raises(
        CannotStart, match=r"there is none\. Put that key there\. All machines of an installation share"
    ):
        check_signature()
    assert not settings.LACUNA_SIGNING_KEY_FILE.exists()
    signing_key()
    with pytest.raises(CannotStart, match="the note is not signed with this key"):
        check_signature()
    settings.LACUNA_SIGNING_KEY_FILE = own
    settings.LACUNA_LOG_ORIGIN = "another.example/audit"
    with pytest.raises(CannotStart, match="the note speaks of another log"):
        check_signature()


def test_a_damaged_key_store_is_refused() -> None:
    make_case()
    key_store()
    configured.reset()
    Path(settings.LACUNA_ROOT_KEY_FILE).unlink()
    with pytest.raises(CannotStart, match="The key store cannot be opened"):
        check_keys()


def test_an_empty_key_directory_with_live_objects_is_refused_and_stays_empty() -> None:
    make_case()
    configured.reset()
    keys = Path(settings.LACUNA_KEYS_DIR)
    shutil.move(keys, keys.with_name("away"))
    for made in (False, True):  # first missing, then empty, as if its volume were not mounted
        if made:
            keys.mkdir()
        with pytest.raises(CannotStart) as refusal:
            check_keys()
        assert str(refusal.value) == (
            f"The key directory {keys} is empty, but the database holds 1 things that only its keys open. "
            "Bring the key volume back. With new keys all of them would be lost for good."
        )
        assert not keys.exists() or list(keys.iterdir()) == []
    keys.rmdir()
    shutil.move(keys.with_name("away"), keys)
    check_keys()


def test_a_new_key_store_with_live_objects_is_refused() -> None:
    case = make_case()
    configured.reset()
    keys = Path(settings.LACUNA_KEYS_DIR)
    shutil.move(keys, keys.with_name("away"))
    key_store()  # as if a command had created a new one
    with pytest.raises(CannotStart, match="is new, but the database holds 1 things"):
        check_keys()
    assert StoredObject.objects.live().filter(pk=case.pk).exists(), "and nothing counts as erased"


def test_an_older_key_store_is_refused() -> None:
    make_case()
    keys = Path(settings.LACUNA_KEYS_DIR)
    shutil.copytree(keys, keys.with_name("older"))
    rolled = key_store().roll_epoch()
    with transaction.atomic():
        record(Act("keys.rolled", "run:x", "system:worker", details={"epoch": rolled.epoch}))
    check_keys()
    configured.reset()
    shutil.rmtree(keys)
    shutil.move(keys.with_name("older"), keys)
    with pytest.raises(CannotStart, match="older than the log: it is of epoch 1, and epoch 2 has begun"):
        check_keys()


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("redis://127.0.0.1:1/0", r"^Redis does not answer as LACUNA_REDIS says: .*refused"),
        ("127.0.0.1:6379", r"^LACUNA_REDIS is no address of a Redis server: "),
    ],
)
def test_a_redis_that_does_not_answer_is_refused(settings: Settings, address: str, message: str) -> None:
    settings.REDIS_URL = address
    with pytest.raises(CannotStart, match=message):
        check_redis()


def test_a_vault_that_cannot_be_written_is_refused(settings: Settings, tmp_path: Path) -> None:
    check_storage()
    assert list((tmp_path / "vault").rglob("?" * 32)) == []
    (tmp_path / "file").write_text("where a directory should be")
    settings.LACUNA_VAULT_DIR = tmp_path / "file"
    with pytest.raises(CannotStart, match=r"^What people bring could not be stored.*Not a directory"):
        check_storage()


def test_keys_on_one_machine_are_refused_if_several_machines_serve(settings: Settings) -> None:
    settings.LACUNA_SEVERAL_MACHINES = True
    with pytest.raises(CannotStart, match=r"^Several machines serve this installation"):
        check_keys()


def test_a_copy_on_write_key_volume_gives_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    mounts = tmp_path / "mountinfo"
    monkeypatch.setattr(slots, "volume_warnings", partial(volume_warnings, mounts=mounts))
    monkeypatch.setattr(logging.getLogger("lacuna"), "propagate", True)
    mounts.write_text("22 1 254:0 / / rw - ext4 /dev/vda rw\n")
    check_keys()
    assert caplog.messages == []
    mounts.write_text("22 1 0:30 / / rw - btrfs /dev/vda rw,subvol=/\n")
    check_keys()
    (message,) = set(caplog.messages)
    assert message.startswith("KEYS MAY OUTLIVE THEIR ERASURE. A key volume is copy-on-write")
    assert "(keys, on btrfs.)" in message


def test_static_files_are_collected_again_only_if_one_is_newer(tmp_path: Path, settings: Settings) -> None:
    ours = tmp_path / "ours"
    ours.mkdir()
    (ours / "a.css").write_text("a{}")
    settings.STATICFILES_DIRS, settings.STATIC_ROOT = [ours], tmp_path / "static"
    settings.STATICFILES_FINDERS = ["django.contrib.staticfiles.finders.FileSystemFinder"]
    settings.STORAGES = settings.STORAGES | {
        "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"}
    }
    collect_static()
    manifest = tmp_path / "static" / "staticfiles.json"
    first = manifest.read_text()
    manifest.touch()
    (tmp_path / "static" / "a.css").unlink()
    collect_static()
    assert not (tmp_path / "static" / "a.css").exists()
    (ours / "b.css").write_text("b{}")
    collect_static()
    assert (tmp_path / "static" / "b.css").exists()
    assert manifest.read_text() != first
