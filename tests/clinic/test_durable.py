"""Durable writes on a system whose fsync does not wait for the disk, and directories.

That a directory is synced is tested where it is used (test_powerloss.py).

F_FULLFSYNC does not exist here. A command that leaves a trace stands in its place: F_SETFD with 0 makes a
descriptor inheritable.
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
def test_the_command_that_waits_for_the_disk_is_used_where_there_is_one(
    sync: Callable[[int], None], fd: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    sync(fd)
    assert not os.get_inheritable(fd)
    monkeypatch.setattr(durable, "FULL_SYNC", fcntl.F_SETFD)
    sync(fd)
    assert os.get_inheritable(fd)


@pytest.mark.parametrize(("sync", "name"), [(durable.fsync, "fsync"), (durable.fdatasync, "fdatasync")])
def test_a_file_system_that_does_not_know_it_is_synced_as_ever(
    sync: Callable[[int], None], name: str, fd: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced, real = [], getattr(os, name)
    monkeypatch.setattr(os, name, lambda fd: (synced.append(fd), real(fd))[1])
    monkeypatch.setattr(durable, "FULL_SYNC", 51)  # macOS's number, which Linux refuses with EINVAL
    sync(fd)
    assert synced == [fd]


def test_a_disk_that_fails_is_no_file_system_without_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(durable, "FULL_SYNC", fcntl.F_GETFD)
    with pytest.raises(OSError, match="Bad file descriptor") as failed:
        durable.fsync(-1 & 0x7FFFFFFF)
    assert failed.value.errno == errno.EBADF


def test_without_fdatasync_the_whole_file_is_synced(fd: int, monkeypatch: pytest.MonkeyPatch) -> None:
    synced, real = [], os.fsync
    monkeypatch.delattr(os, "fdatasync")
    monkeypatch.setattr(os, "fsync", lambda fd: (synced.append(fd), real(fd))[1])
    durable.fdatasync(fd)
    assert synced == [fd]


def test_a_directory_and_those_above_it_are_for_their_owner_alone(tmp_path: Path) -> None:
    make_directory(tmp_path / "a" / "b")
    make_directory(tmp_path / "a" / "b")
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "a", tmp_path / "a" / "b")]
    assert modes == [0o700, 0o700]


def test_a_file_in_its_place_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("where a directory should be")
    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(NotADirectoryError):
            make_directory(path)
