"""VaultStorage: ciphertext files on disk."""

import os
import stat
import uuid
from pathlib import Path

import pytest
from django.core.exceptions import SuspiciousFileOperation
from django.core.files.base import ContentFile, File
from django.core.files.storage import storages

from patients.vault.storage import VaultStorage


def name() -> str:
    return uuid.uuid4().hex


class Staged(File):
    """A file in the staging directory of uploads."""

    def temporary_file_path(self) -> str:
        return str(self.name)


def test_the_storage_of_the_settings_writes_to_the_vault_directory(tmp_path: Path) -> None:
    storage, blob = storages["vault"], name()
    assert isinstance(storage, VaultStorage)
    assert storage.save(blob, ContentFile(b"cipher")) == blob
    path = tmp_path / "vault" / "blobs" / blob[:2] / blob[2:4] / blob
    assert path.read_bytes() == b"cipher"
    with storage.open(blob) as file:
        assert file.read() == b"cipher"
    assert (storage.exists(blob), storage.size(blob)) == (True, 6)


def test_only_the_owner_can_read_files_and_directories(tmp_path: Path) -> None:
    VaultStorage().save(name(), ContentFile(b"cipher"))
    paths = list((tmp_path / "vault" / "blobs").rglob("*"))
    modes = {(path.is_dir(), stat.S_IMODE(path.stat().st_mode)) for path in paths}
    assert modes == {(True, 0o700), (False, 0o600)}


def test_save_without_a_name_chooses_one(tmp_path: Path) -> None:
    storage = VaultStorage(tmp_path)
    first, second = storage.save(None, ContentFile(b"1")), storage.save(None, ContentFile(b"2"))
    assert storage.listdir("") == ([], sorted([first, second]))


@pytest.mark.parametrize(
    "bad", ["clementine.jpg", "../../keys/slots", "AB" * 16, "ab" * 15, "ab" * 16 + "\n", "/x"]
)
def test_invalid_names_are_refused(tmp_path: Path, bad: str) -> None:
    storage = VaultStorage(tmp_path / "blobs")
    for call in (
        lambda: storage.save(bad, ContentFile(b"")),
        lambda: storage.open(bad),
        lambda: storage.delete(bad),
    ):
        with pytest.raises(SuspiciousFileOperation):
            call()
    assert list(tmp_path.iterdir()) == []


def test_existing_files_are_not_overwritten(tmp_path: Path) -> None:
    storage, blob = VaultStorage(tmp_path / "blobs"), name()
    storage.save(blob, ContentFile(b"first"))
    staged = tmp_path / "staged"
    staged.write_bytes(b"second")
    for content in (ContentFile(b"second"), Staged(None, str(staged))):
        with pytest.raises(FileExistsError):
            storage.save(blob, content)
    assert storage.open(blob).read() == b"first"
    assert staged.read_bytes() == b"second"


def test_a_staged_file_is_linked_and_not_copied(tmp_path: Path) -> None:
    storage, blob, staged = VaultStorage(tmp_path / "blobs"), name(), tmp_path / "staged"
    staged.write_bytes(b"cipher")
    inode = staged.stat().st_ino
    storage.save(blob, Staged(None, str(staged)))
    staged.unlink()
    there = Path(storage.path(blob)).stat()
    assert (there.st_ino, stat.S_IMODE(there.st_mode)) == (inode, 0o600)


def test_deleting_removes_the_file_and_can_be_repeated(tmp_path: Path) -> None:
    storage, blob = VaultStorage(tmp_path), name()
    storage.save(blob, ContentFile(b"cipher"))
    storage.delete(blob)
    storage.delete(blob)
    assert not storage.exists(blob)
    assert storage.listdir("") == ([], [])


def test_a_write_that_fails_leaves_no_file(tmp_path: Path) -> None:
    storage, blob = VaultStorage(tmp_path), name()

    class Breaking(ContentFile):
        def chunks(self, chunk_size: int | None = None) -> object:
            yield b"half"
            raise OSError("the client went away")

    with pytest.raises(OSError, match="went away"):
        storage.save(blob, Breaking(b"half and half"))
    assert storage.listdir("") == ([], [])


def test_file_and_directories_are_synced_before_save_returns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[tuple[int, int]] = []
    real = os.fsync

    def watch(fd: int) -> None:
        found = os.fstat(fd)
        synced.append((found.st_ino, found.st_size if stat.S_ISREG(found.st_mode) else -1))
        real(fd)

    monkeypatch.setattr(os, "fsync", watch)
    storage, blob = VaultStorage(tmp_path), name()
    storage.save(blob, ContentFile(b"cipher"))
    path = Path(storage.path(blob))
    assert (path.stat().st_ino, 6) in synced
    for directory in (path.parent, path.parent.parent, tmp_path):
        assert (directory.stat().st_ino, -1) in synced
    synced.clear()
    storage.delete(blob)
    assert synced == [(path.parent.stat().st_ino, -1)]


def test_only_the_root_can_be_listed(tmp_path: Path) -> None:
    storage, blob = VaultStorage(tmp_path), name()
    storage.save(blob, ContentFile(b"cipher"))
    assert storage.listdir("") == ([], [blob])
    with pytest.raises(SuspiciousFileOperation):
        storage.listdir(blob[:2])


def test_files_have_no_url(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="has no URL"):
        VaultStorage(tmp_path).url(name())
