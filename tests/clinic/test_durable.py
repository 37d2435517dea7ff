"""Durable writes on macOS, whose fsync does not wait for the disk, and creating directories.

The files test_powerloss.py test that directories are synced. Linux has no F_FULLFSYNC, so these tests use
another fcntl command with a visible effect instead: F_SETFD with 0 makes a descriptor inheritable.
"""

import errno
import fcntl
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from clinic import durable
from clinic.durable import make_directory


@pytest.fixture
def fd(tmp_path: Path) -> Iterator[int]:
    opened = os.open(tmp_path / "file", os.O_RDWR | os.O_CREAT, 0o600)
    yield opened
    os.close(opened)


@pytest.mark.parametrize("sync", [durable.fsync, durable.fdatasync])
def test_the_full_sync_command_is_used_if_the_system_has_one(
    sync: Callable[[int], None], fd: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    sync(fd)
    assert not os.get_inheritable(fd)
    monkeypatch.setattr(durable, "FULL_SYNC", fcntl.F_SETFD)
    sync(fd)
    assert os.get_inheritable(fd)


@pytest.mark.parametrize(("sync", "name"), [(durable.fsync, "fsync"), (durable.fdatasync, "fdatasync")])
def test_a_file_system_without_full_sync_falls_back_to_fsync(
    sync: Callable[[int], None], name: str, fd: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced, real = [], getattr(os, name)
    monkeypatch.setattr(os, name, lambda fd: (synced.append(fd), real(fd))[1])
    monkeypatch.setattr(durable, "FULL_SYNC", 51)  # macOS's number, which Linux refuses with EINVAL
    sync(fd)
    assert synced == [fd]


def test_a_failing_disk_is_an_error_and_no_fallback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(durable, "FULL_SYNC", fcntl.F_GETFD)
    not_open = 0x7FFFFFFF
    with pytest.raises(OSError, match="Bad file descriptor") as failed:
        durable.fsync(not_open)
    assert failed.value.errno == errno.EBADF


def test_without_fdatasync_the_whole_file_is_synced(fd: int, monkeypatch: pytest.MonkeyPatch) -> None:
    synced, real = [], os.fsync
    monkeypatch.delattr(os, "fdatasync")
    monkeypatch.setattr(os, "fsync", lambda fd: (synced.append(fd), real(fd))[1])
    durable.fdatasync(fd)
    assert synced == [fd]


def test_only_the_owner_can_enter_a_new_directory_and_its_new_parents(tmp_path: Path) -> None:
    make_directory(tmp_path / "a" / "b")
    make_directory(tmp_path / "a" / "b")
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "a", tmp_path / "a" / "b")]
    assert modes == [0o700, 0o700]


def test_a_file_in_place_of_the_directory_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("where a directory should be")
    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(NotADirectoryError):
            make_directory(path)
