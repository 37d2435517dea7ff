"""A backup shows one moment, contains no key, is verified after writing, and is complete or not there."""

import resource
import shutil
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings as django_settings
from django.db import connection

from clinic.audit.models import Entry, TreeHead
from clinic.audit.verify import verify_log
from erasure.backups import create
from erasure.backups.create import make_backup
from erasure.backups.key_material import key_material
from erasure.backups.manifest import BackupRefused, check
from erasure.backups.models import Backup
from erasure.backups.restoring import restore
from erasure.runs.models import Run
from patients.vault.configured import key_store
from patients.vault.models import StoredObject
from patients.vault.objects import destroy, mark_for_destruction, storage
from patients.vault.replicas import HEADER_MARK, SLOT, Slot
from tests.erasure.backups.empty_installation import empty_installation
from tests.factories import make_case, make_keepsake, make_memory, make_run
from tests.processes import ROOT, StartedProcesses, environment, started_processes, until

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def processes() -> Iterator[StartedProcesses]:
    with started_processes() as mine:
        yield mine


def command(*words: str, limit: int = 0, **env: str) -> "subprocess.CompletedProcess[str]":
    """Run `manage.py` with these arguments. limit: the largest size of a file it may write, in bytes."""
    limits = (limit or resource.RLIM_INFINITY, resource.RLIM_INFINITY)
    return subprocess.run(  # noqa: S603
        [sys.executable, str(ROOT / "manage.py"), *words],
        # Python would store compiled modules that the limit cut off, and later runs would fail on them.
        env=environment(PYTHONDONTWRITEBYTECODE="1", **env),
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, limits),
    )


def test_a_backup_contains_the_database_and_the_ciphertext(tmp_path: Path) -> None:
    make_keepsake(make_memory(make_case()))
    backup, manifest = make_backup(tmp_path / "backup")
    directory = Path(backup.directory)
    assert check(directory) == manifest
    live = StoredObject.objects.live().exclude(blob="")
    assert {item.name for item in manifest.objects} == {row.blob for row in live}
    for item in manifest.objects:
        assert (directory / "objects" / item.name[:2] / item.name).read_bytes() == Path(
            storage().path(item.name)
        ).read_bytes()
    assert manifest.log_size == TreeHead.objects.get().size - 1  # its own entry was written later
    entry = Entry.objects.get(action="backup.made")
    assert entry.details["digest"] == manifest.digest == backup.digest
    assert entry.details["bytes"] == backup.size == manifest.size
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in directory.rglob("*") if path.is_file()} == {0o600}
    assert verify_log().problems == []


def test_a_backup_contains_no_byte_of_a_key(tmp_path: Path) -> None:
    make_keepsake(make_memory(make_case()))
    keys = [bytes(key_store().get(key_id)) for key_id in key_store().ids()]
    make_backup(tmp_path / "backup")
    backup_bytes = b"".join(path.read_bytes() for path in (tmp_path / "backup").rglob("*") if path.is_file())
    slots = (Path(django_settings.LACUNA_KEYS_DIR) / "slots").read_bytes()
    # The first slot is the header. A slot for each key follows it.
    starts = range(SLOT, SLOT * (len(keys) + 1), SLOT)
    wrapped = [Slot.parsed(slots[start : start + SLOT]).wrapped for start in starts]
    assert len(keys) == len(wrapped) == 6
    assert not [1 for secret in (*keys, *wrapped) if secret in backup_bytes]
    assert HEADER_MARK not in backup_bytes
    assert key_material(tmp_path / "backup") == []


@pytest.mark.parametrize("name", ["slots", "root-key", "renamed"])
def test_key_material_is_recognised_by_name_and_by_its_first_bytes(name: str, tmp_path: Path) -> None:
    make_case()
    key_store()
    (tmp_path / "outer" / "inner").mkdir(parents=True)
    shutil.copyfile(Path(django_settings.LACUNA_KEYS_DIR) / "slots", tmp_path / "outer" / "inner" / name)
    assert key_material(tmp_path / "outer") == [f"inner/{name}"]
    shutil.copyfile(Path(django_settings.LACUNA_KEYS_DIR) / "epochs", tmp_path / "outer" / "inner" / name)
    assert key_material(tmp_path / "outer") == [f"inner/{name}"]
    (tmp_path / "outer" / "inner" / name).unlink()
    assert key_material(tmp_path / "outer") == []


def test_destroyed_objects_may_be_missing_and_lost_objects_are_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone, lost, kept = (make_keepsake(make_memory(make_case())) for _ in range(3))
    take = create.database.take

    def take_and_destroy(directory: Path) -> object:
        taken = take(directory)
        mark_for_destruction(StoredObject.objects.filter(keepsake=gone), "test")
        destroy(StoredObject.objects.filter(keepsake=gone))
        storage().delete(lost.picture_id.hex if lost.picture_id else "")
        return taken

    monkeypatch.setattr(create.database, "take", take_and_destroy)
    _backup, manifest = make_backup(tmp_path / "backup")
    names = {item.name for item in manifest.objects}
    assert not names & {row.pk.hex for row in StoredObject.objects.filter(keepsake=gone)}
    assert {row.pk.hex for row in StoredObject.objects.filter(keepsake=kept).exclude(role="seal")} <= names
    assert manifest.missing == [lost.picture_id.hex if lost.picture_id else ""]
    assert Entry.objects.get(action="backup.made").details["missing"] == 1


@pytest.mark.processes
def test_a_backup_shows_one_moment_while_a_worker_writes(processes: StartedProcesses, tmp_path: Path) -> None:
    run = make_run(memories=3, pace=3)
    processes.worker()
    processes.supervisor()
    until(lambda: run.steps.filter(level__gt=1).exists(), "the fade is under way")
    sizes = []
    for number in range(4):
        backup, _made = make_backup(tmp_path / f"backup-{number}")
        sizes.append(backup.log_size)
    until(lambda: Run.objects.filter(pk=run.pk, certificate__isnull=False).exists(), "the run ends")
    assert len(set(sizes)) == 4
    for number, size in enumerate(sizes):
        with empty_installation(tmp_path):
            restore(tmp_path / f"backup-{number}")
            assert TreeHead.objects.get().size == size == Entry.objects.count()
            problems = [text for text in verify_log().problems if "tail was cut" not in text]
            assert problems == []
            connection.check_constraints()
            live = StoredObject.objects.live().exclude(role="seal")
            present = set(storage().listdir("")[1])
            # Objects destroyed since the backup may be missing; no file is extra.
            assert present <= {row.blob for row in live}


@pytest.mark.processes
def test_on_a_full_disk_no_partial_backup_is_left(tmp_path: Path) -> None:
    make_keepsake(make_memory(make_case()))
    (tmp_path / "backups").mkdir()
    result = command("backup", str(tmp_path / "backups" / "one"), limit=30_000)
    assert result.returncode == 1
    assert result.stderr.startswith("CommandError: No backup was made: ")
    assert "Traceback" not in result.stderr
    assert list((tmp_path / "backups").iterdir()) == []
    assert not Backup.objects.exists()
    assert not Entry.objects.filter(action="backup.made").exists()
    result = command("backup", str(tmp_path / "backups" / "one"))
    assert result.returncode == 0, result.stderr
    assert [path.name for path in (tmp_path / "backups").iterdir()] == ["one"]
    assert Backup.objects.get().directory == str(tmp_path / "backups" / "one")


def test_no_backup_is_left_if_its_log_entry_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_case()

    def broken(*_acts: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(create, "record", broken)
    with pytest.raises(OSError, match="Input/output"):
        make_backup(tmp_path / "backups" / "one")
    assert list((tmp_path / "backups").iterdir()) == []
    assert not Backup.objects.exists()


def test_a_backup_that_lost_a_byte_on_the_disk_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_keepsake(make_memory(make_case()))
    write = create.manifest.write

    def write_and_lose(directory: Path, manifest: object) -> None:
        write(directory, manifest)  # type: ignore[arg-type]
        path = sorted(directory.glob("objects/*/*"))[0]
        path.write_bytes(path.read_bytes()[:-1])

    monkeypatch.setattr(create.manifest, "write", write_and_lose)
    with pytest.raises(BackupRefused, match="is not what was backed up"):
        make_backup(tmp_path / "backups" / "one")
    assert list((tmp_path / "backups").iterdir()) == []


def test_two_backups_at_once_to_one_directory_make_one(tmp_path: Path) -> None:
    make_keepsake(make_memory(make_case()))
    results: list[object] = []

    def make() -> None:
        try:
            results.append(make_backup(tmp_path / "backup")[0])
        except (BackupRefused, OSError) as error:
            results.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=make) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (backup,) = Backup.objects.all()
    assert len([one for one in results if isinstance(one, Backup)]) == 1
    assert check(tmp_path / "backup").digest == backup.digest
