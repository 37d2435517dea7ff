"""A backup is of one moment, holds no key, is read again before it counts, and is whole or not there."""

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
from patients.vault.replicas import HEADER_MARK
from tests.erasure.backups.elsewhere import empty_house
from tests.factories import make_case, make_keepsake, make_memory, make_run
from tests.house import ROOT, House, environment, house, until

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def processes() -> Iterator[House]:
    with house() as mine:
        yield mine


def command(*words: str, limit: int = 0, **env: str) -> "subprocess.CompletedProcess[str]":
    """Run one of the house's commands; `limit`: bytes that any file of it may have."""
    limits = (limit or resource.RLIM_INFINITY, resource.RLIM_INFINITY)
    return subprocess.run(  # noqa: S603
        [sys.executable, str(ROOT / "manage.py"), *words],
        # Python would keep the compiled module that the limit cut short, and trip over it ever after.
        env=environment(PYTHONDONTWRITEBYTECODE="1", **env),
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, limits),
    )


def test_it_holds_the_database_and_the_ciphertext_and_says_so(tmp_path: Path) -> None:
    make_keepsake(make_memory(make_case()))
    backup, made = make_backup(tmp_path / "backup")
    directory = Path(backup.directory)
    assert check(directory) == made
    live = StoredObject.objects.live().exclude(blob="")
    assert {item.name for item in made.objects} == {row.blob for row in live}
    for item in made.objects:
        assert (directory / "objects" / item.name[:2] / item.name).read_bytes() == Path(
            storage().path(item.name)
        ).read_bytes()
    assert made.log_size == TreeHead.objects.get().size - 1  # its own line was not yet in it
    entry = Entry.objects.get(action="backup.made")
    assert entry.details["digest"] == made.digest == backup.digest
    assert entry.details["bytes"] == backup.size == made.size
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in directory.rglob("*") if path.is_file()} == {0o600}
    assert verify_log().problems == []


def test_no_byte_of_a_key_is_in_it(tmp_path: Path) -> None:
    make_keepsake(make_memory(make_case()))
    keys = [bytes(key_store().get(key_id)) for key_id in key_store().ids()]
    make_backup(tmp_path / "backup")
    everything = b"".join(path.read_bytes() for path in (tmp_path / "backup").rglob("*") if path.is_file())
    slots = (Path(django_settings.LACUNA_KEYS_DIR) / "slots").read_bytes()
    wrapped = [slots[at + 32 : at + 80] for at in range(128, 128 * (len(keys) + 1), 128)]
    assert len(keys) == len(wrapped) == 6
    assert not [1 for secret in (*keys, *wrapped) if secret in everything]
    assert HEADER_MARK not in everything
    assert key_material(tmp_path / "backup") == []


@pytest.mark.parametrize("name", ["slots", "root-key", "renamed"])
def test_key_material_is_known_by_name_and_by_its_first_bytes(name: str, tmp_path: Path) -> None:
    make_case()
    key_store()
    (tmp_path / "deep" / "er").mkdir(parents=True)
    shutil.copyfile(Path(django_settings.LACUNA_KEYS_DIR) / "slots", tmp_path / "deep" / "er" / name)
    assert key_material(tmp_path / "deep") == [f"er/{name}"]
    shutil.copyfile(Path(django_settings.LACUNA_KEYS_DIR) / "epochs", tmp_path / "deep" / "er" / name)
    assert key_material(tmp_path / "deep") == [f"er/{name}"]
    (tmp_path / "deep" / "er" / name).unlink()
    assert key_material(tmp_path / "deep") == []


def test_what_is_destroyed_while_it_is_made_may_be_missing_and_what_is_lost_is_told(
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
    _backup, made = make_backup(tmp_path / "backup")
    names = {item.name for item in made.objects}
    assert not names & {row.pk.hex for row in StoredObject.objects.filter(keepsake=gone)}
    assert {row.pk.hex for row in StoredObject.objects.filter(keepsake=kept).exclude(role="seal")} <= names
    assert made.missing == [lost.picture_id.hex if lost.picture_id else ""]
    assert Entry.objects.get(action="backup.made").details["missing"] == 1


@pytest.mark.processes
def test_it_is_of_one_moment_while_a_worker_writes(processes: House, tmp_path: Path) -> None:
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
        with empty_house(tmp_path):
            restore(tmp_path / f"backup-{number}")
            assert TreeHead.objects.get().size == size == Entry.objects.count()
            problems = [text for text in verify_log().problems if "tail was cut" not in text]
            assert problems == []
            connection.check_constraints()
            half = StoredObject.objects.live().exclude(role="seal")
            present = set(storage().listdir("")[1])
            # Of what lived at that moment only what was destroyed since may be missing; nothing is extra.
            assert present <= {row.blob for row in half}


@pytest.mark.processes
def test_on_a_full_disk_nothing_half_is_left(tmp_path: Path) -> None:
    make_keepsake(make_memory(make_case()))
    (tmp_path / "backups").mkdir()
    ended = command("backup", str(tmp_path / "backups" / "one"), limit=30_000)
    assert ended.returncode == 1
    assert ended.stderr.startswith("CommandError: No backup was made: ")
    assert "Traceback" not in ended.stderr
    assert list((tmp_path / "backups").iterdir()) == []
    assert not Backup.objects.exists()
    assert not Entry.objects.filter(action="backup.made").exists()
    ended = command("backup", str(tmp_path / "backups" / "one"))
    assert ended.returncode == 0, ended.stderr
    assert [path.name for path in (tmp_path / "backups").iterdir()] == ["one"]
    assert Backup.objects.get().directory == str(tmp_path / "backups" / "one")


def test_a_catalogue_that_cannot_be_written_leaves_no_backup(
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


def test_a_byte_that_the_disk_lost_is_seen_before_the_backup_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_keepsake(make_memory(make_case()))
    write = create.manifest.write

    def write_and_lose(directory: Path, made: object) -> None:
        write(directory, made)  # type: ignore[arg-type]
        path = sorted(directory.glob("objects/*/*"))[0]
        path.write_bytes(path.read_bytes()[:-1])

    monkeypatch.setattr(create.manifest, "write", write_and_lose)
    with pytest.raises(BackupRefused, match="is not what was backed up"):
        make_backup(tmp_path / "backups" / "one")
    assert list((tmp_path / "backups").iterdir()) == []


def test_two_at_once_to_one_place_make_one(tmp_path: Path) -> None:
    make_keepsake(make_memory(make_case()))
    made: list[object] = []

    def make() -> None:
        try:
            made.append(make_backup(tmp_path / "backup")[0])
        except (BackupRefused, OSError) as error:
            made.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=make) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (backup,) = Backup.objects.all()
    assert len([one for one in made if isinstance(one, Backup)]) == 1
    assert check(tmp_path / "backup").digest == backup.digest
