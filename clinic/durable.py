"""Durable writes of files and of their directory entries.

On macOS fsync returns while the data may still be in the disk's cache; only fcntl F_FULLFSYNC waits for the
disk. On Linux fsync and fdatasync wait for it. A synced file is lost in a crash if its directory was not
synced too.
"""

import errno
import fcntl
import os
from errno import ENOTDIR
from pathlib import Path

FULL_SYNC: int | None = getattr(fcntl, "F_FULLFSYNC", None)
CAN_FORGET = hasattr(os, "posix_fadvise")
# The errors of a file system that does not support F_FULLFSYNC, such as a network file system.
UNSUPPORTED = {errno.EINVAL, errno.ENOTSUP, errno.ENOTTY}


def fsync(fd: int) -> None:
    """Return when content and metadata of the file are on the disk. Errors: OSError."""
    if not _full_sync(fd):
        os.fsync(fd)


def fdatasync(fd: int) -> None:
    """Return when the content of the file is on the disk. Errors: OSError."""
    if not _full_sync(fd):
        getattr(os, "fdatasync", os.fsync)(fd)  # macOS has no fdatasync


def _full_sync(fd: int) -> bool:
    """Sync with F_FULLFSYNC. Return False if it is not supported here. Errors: OSError if it fails."""
    if FULL_SYNC is None:
        return False
    try:
        fcntl.fcntl(fd, FULL_SYNC, 0)
    except OSError as error:
        if error.errno in UNSUPPORTED:
            return False
        raise
    return True


def forget_cached(fd: int, start: int, length: int) -> None:
    """Ask the system to drop a part of a file from the page cache, so that the next read comes from the disk.

    start, length: in bytes; only whole pages are dropped; length 0 means up to the end. Does nothing on
    systems without this call; patients/checks.py warns about it.
    """
    if CAN_FORGET:
        os.posix_fadvise(fd, start, length, os.POSIX_FADV_DONTNEED)


def sync_directory(directory: Path) -> None:
    """Make created, renamed and removed entries of `directory` durable."""
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fsync(fd)
    finally:
        os.close(fd)


def make_directory(directory: Path) -> None:
    """Create a directory and its parents, durably, with access only for the owner.

    Errors: OSError; NotADirectoryError if there is a file of that name.
    """
    if not directory.is_dir():
        make_directory(directory.parent)
        try:
            directory.mkdir(mode=0o700, exist_ok=True)
        except FileExistsError:
            raise NotADirectoryError(ENOTDIR, os.strerror(ENOTDIR), str(directory)) from None
        sync_directory(directory.parent)
