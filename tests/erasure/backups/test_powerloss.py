"""A finished backup or restore survives a power cut."""

from pathlib import Path

import pytest

from erasure.backups import database
from erasure.backups.create import make_backup
from erasure.backups.manifest import write_durably
from tests.factories import make_case, make_keepsake, make_memory
from tests.powerloss import left_by_crashes

pytestmark = pytest.mark.django_db(transaction=True)


def files_of(directory: Path) -> dict[str, bytes]:
    paths = (path for path in directory.rglob("*") if path.is_file())
    return {str(path.relative_to(directory)): path.read_bytes() for path in paths}


def test_a_finished_backup_is_complete_after_a_power_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backups = tmp_path / "backups"
    backups.mkdir()
    make_keepsake(make_memory(make_case()))
    crashes = left_by_crashes(backups, monkeypatch, lambda: make_backup(backups / "one"), only_done=True)
    for done, files in crashes:
        assert done
        assert files == files_of(backups)
    assert "one/manifest.json" in files_of(backups)


def test_a_file_of_a_backup_is_synced_when_it_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its directory is not synced yet: that happens before the backup gets its final name."""
    path = tmp_path / "item"
    for done, files in left_by_crashes(tmp_path, monkeypatch, lambda: write_durably(path, [b"one", b"two"])):
        assert not done or files in ({}, {"item": b"onetwo"})


def test_a_restored_database_is_complete_or_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backup, data_dir = tmp_path / "backup.sqlite3", tmp_path / "data"
    backup.write_bytes(b"a database" * 500)
    data_dir.mkdir()
    database_file = data_dir / "lacuna.sqlite3"
    database_file.write_bytes(b"an empty one")
    for suffix in ("-wal", "-shm"):
        database_file.with_name(database_file.name + suffix).write_bytes(b"of the empty one")
    monkeypatch.setattr(database, "connections", ConnectionsLeftOpen())
    crashes = left_by_crashes(data_dir, monkeypatch, lambda: database._restore_sqlite(backup, database_file))
    for done, files in crashes:
        restored = backup.read_bytes()
        assert files[database_file.name] in ([restored] if done else [restored, b"an empty one"])
        if files[database_file.name] == restored:
            assert files.keys() == {database_file.name} or not done
            journals = {f"{database_file.name}-wal", f"{database_file.name}-shm"}
            assert not files.keys() & journals, "SQLite would replay it"


class ConnectionsLeftOpen:
    """Replaces Django's connections. The test's own connection is to another database and stays open."""

    def close_all(self) -> None:
        return
