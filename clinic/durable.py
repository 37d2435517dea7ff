"""Making files, and the names of files, durable.

On macOS fsync returns while the disk still holds the data in its own memory; only the command F_FULLFSYNC
waits for the disk. Linux waits with fsync and fdatasync. A synced file is lost if its name, which stands in
the directory, was not synced too.
"""

import errno
import fcntl
import os
from errno import ENOTDIR
from pathlib import Path

FULL_SYNC: int | None = getattr(fcntl, "F_FULLFSYNC", None)
CAN_FORGET = hasattr(os, "posix_fadvise")
# A file system that does not know F_FULLFSYNC, as one of another machine, says one of these.
UNKNOWN = {errno.EINVAL, errno.ENOTSUP, errno.ENOTTY}


def fsync(fd: int) -> None:
    """Return when content and metadata of the file are on the disk. Errors: OSError."""
    if not _full_sync(fd):
        os.fsync(fd)


def fdatasync(fd: int) -> None:
    """Return when the content of the file is on the disk. Errors: OSError."""
    if not _full_sync(fd):
        getattr(os, "fdatasync", os.fsync)(fd)  # macOS has no fdatasync


def _full_sync(fd: int) -> bool:
    """Whether F_FULLFSYNC was possible and done. Errors: OSError where it failed."""
    if FULL_SYNC is None:
        return False
    try:
        fcntl.fcntl(fd, FULL_SYNC, 0)
    except OSError as error:
        if error.errno in UNKNOWN:
            return False
        raise
    return True


def forget_cached(fd: int, start: int, length: int) -> None:
    """Let the system drop its copy of a part of a file, so that the next read asks the disk.

    start, length: in bytes, whole pages count; length 0 is up to the end. Does nothing where the system has
    no such call; patients/checks.py says so.
    """
    if CAN_FORGET:
        os.posix_fadvise(fd, start, length, os.POSIX_FADV_DONTNEED)


def sync_directory(directory: Path) -> None:
    """Make names made, changed or removed in `directory` durable."""
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fsync(fd)
    finally:
        os.close(fd)


def make_directory(directory: Path) -> None:
    """Make a directory, readable by its owner alone, and the ones above it; durable on return.

    Errors: OSError; NotADirectoryError where a file has its name.
    """
    if not directory.is_dir():
        make_directory(directory.parent)
        try:
            directory.mkdir(mode=0o700, exist_ok=True)
        except FileExistsError:
            raise NotADirectoryError(ENOTDIR, os.strerror(ENOTDIR), str(directory)) from None
        sync_directory(directory.parent)
