"""A backup, and what is brought back from one, is there after a power cut."""

from pathlib import Path

import pytest

from erasure.backups import database
from erasure.backups.create import make_backup
from erasure.backups.manifest import write_durably
from tests.factories import make_case, make_keepsake, make_memory
from tests.powerloss import left_by_crashes

pytestmark = pytest.mark.django_db(transaction=True)


def files_of(directory: Path) -> dict[str, bytes]:
    rows = (path for path in directory.rglob("*") if path.is_file())
    return {str(path.relative_to(directory)): path.read_bytes() for path in rows}


def test_a_backup_is_whole_and_named_once_it_was_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "backups"
    place.mkdir()
    make_keepsake(make_memory(make_case()))
    looked = left_by_crashes(place, monkeypatch, lambda: make_backup(place / "one"), only_done=True)
    for done, files in looked:
        assert done
        assert files == files_of(place)
    assert "one/manifest.json" in files_of(place)


def test_a_file_of_a_backup_is_on_the_disk_before_it_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its name is not yet: the whole tree is synced before the backup gets its own."""
    path = tmp_path / "item"
    for done, files in left_by_crashes(tmp_path, monkeypatch, lambda: write_durably(path, [b"one", b"two"])):
        assert not done or files in ({}, {"item": b"onetwo"})


def test_a_database_that_was_brought_back_is_whole_or_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backup, house = tmp_path / "backup.sqlite3", tmp_path / "house"
    backup.write_bytes(b"a database" * 500)
    house.mkdir()
    place = house / "lacuna.sqlite3"
    place.write_bytes(b"an empty one")
    for suffix in ("-wal", "-shm"):
        place.with_name(place.name + suffix).write_bytes(b"of the empty one")
    monkeypatch.setattr(database, "connections", DatabasesLeftOpen())
    looked = left_by_crashes(house, monkeypatch, lambda: database._restore_sqlite(backup, place))
    for done, files in looked:
        whole = backup.read_bytes()
        assert files[place.name] in ([whole] if done else [whole, b"an empty one"])
        if files[place.name] == whole:
            assert files.keys() == {place.name} or not done
            assert not files.keys() & {f"{place.name}-wal", f"{place.name}-shm"}, "it would be replayed"


class DatabasesLeftOpen:
    """This test's own connection is to another database."""

    def close_all(self) -> None:
        return
