"""Directories whose names survive a power cut: a synced file is lost where its name was not synced too."""

import os
from errno import ENOTDIR
from pathlib import Path


def sync_directory(directory: Path) -> None:
    """Make names made, changed or removed in `directory` durable."""
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
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
