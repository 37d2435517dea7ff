"""Directories whose names survive a power cut: a synced file is lost where its name was not synced too."""

import os
from pathlib import Path


def sync_directory(directory: Path) -> None:
    """Make names made, changed or removed in `directory` durable."""
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def make_directory(directory: Path) -> None:
    """Make a directory, readable by its owner alone, and the ones above it; durable on return."""
    if not directory.is_dir():
        make_directory(directory.parent)
        directory.mkdir(mode=0o700, exist_ok=True)
        sync_directory(directory.parent)
