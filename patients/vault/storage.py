"""Ciphertext on local disk. File names reveal nothing; a file is durable when `save` returns."""

import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Any

from django.conf import settings
from django.core.exceptions import SuspiciousFileOperation
from django.core.files.base import File
from django.core.files.storage import FileSystemStorage

from clinic import durable
from clinic.durable import make_directory, sync_directory

# 32 random hexadecimal digits and nothing else, so that no text from a user ever gets into a file name.
NAME = re.compile(r"[0-9a-f]{32}")


class VaultStorage(FileSystemStorage):
    """Files named by 32 hexadecimal digits, in two levels of subdirectories.

    `location` is the directory, by default LACUNA_VAULT_DIR/blobs.

    `save` makes the file and its directories durable. A staged file on the same volume (one with
    `temporary_file_path`) is not copied: it gets a second name here, and the caller deletes the first when it
    is not needed any more. It never overwrites: FileExistsError. `delete` makes the deletion durable.
    Directories have mode 0700, files 0600. There are no URLs.
    Errors: SuspiciousFileOperation for any other name.
    """

    def __init__(self, location: str | Path | None = None) -> None:
        super().__init__(file_permissions_mode=0o600, directory_permissions_mode=0o700)
        self._custom_location = location
        self._synced: set[Path] = set()  # directories that are known to be durable

    @property
    def location(self) -> str:
        return str(self._custom_location or Path(settings.LACUNA_VAULT_DIR) / "blobs")

    def path(self, name: str) -> str:
        if not NAME.fullmatch(name):
            raise SuspiciousFileOperation("this is not the name of a vault file")
        return str(Path(self.location, name[:2], name[2:4], name))

    def save(self, name: str | None, content: IO[Any], max_length: int | None = None) -> str:
        name = name or os.urandom(16).hex()
        path = Path(self.path(name))
        self._make_directories(path.parent)
        staged = getattr(content, "temporary_file_path", None)
        if staged is not None:
            self._link_into_place(Path(staged()), path)
        else:
            self._write(path, content if isinstance(content, File) else File(content, name))
        sync_directory(path.parent)
        return name

    def delete(self, name: str) -> None:
        path = Path(self.path(name))
        path.unlink(missing_ok=True)
        if path.parent.is_dir():
            sync_directory(path.parent)  # also if it was gone: an earlier call may have stopped before this

    def listdir(self, path: str) -> tuple[list[str], list[str]]:
        """Return no directories and all file names. Errors: SuspiciousFileOperation unless `path` is ""."""
        if path:
            raise SuspiciousFileOperation("the vault has no directories")
        return [], sorted(
            file.name for file in Path(self.location).glob("??/??/*") if NAME.fullmatch(file.name)
        )

    def traces(self) -> set[str]:
        """Return every name under which a byte is stored."""
        return set(self.listdir("")[1])

    def objection(self) -> str:
        """Return why the vault must not use this storage: never a reason for a disk."""
        return ""

    def url(self, name: str | None) -> str:
        raise ValueError("a vault file has no URL")

    def get_available_name(self, name: str, max_length: int | None = None) -> str:
        return name

    def _make_directories(self, directory: Path) -> None:
        make_directory(Path(self.location))
        for level in (directory.parent, directory):
            if level in self._synced and level.is_dir():
                continue
            level.mkdir(mode=0o700, exist_ok=True)
            sync_directory(level.parent)  # also if it existed: its creator may not have synced it yet
            self._synced.add(level)

    @staticmethod
    def _write(path: Path, content: Iterable[bytes] | File) -> None:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(fd, "wb") as file:
                for chunk in content.chunks() if isinstance(content, File) else content:
                    file.write(chunk)
                file.flush()
                durable.fsync(file.fileno())
        except BaseException:
            path.unlink(missing_ok=True)
            raise

    @staticmethod
    def _link_into_place(staged: Path, path: Path) -> None:
        fd = os.open(staged, os.O_RDWR | os.O_CLOEXEC)
        try:
            os.fchmod(fd, 0o600)
            durable.fsync(fd)
        finally:
            os.close(fd)
        os.link(staged, path)  # refuses to overwrite
