"""Ciphertext on local disk. Names say nothing; a file is durable before anyone is told that it is there."""

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

# 32 hexadecimal digits at random; nothing else, so that no one's words ever stand in a file name.
NAME = re.compile(r"[0-9a-f]{32}")


class VaultStorage(FileSystemStorage):
    """Files named by 32 hexadecimal digits, fanned out over two levels of directories.

    They lie at `location`, by default LACUNA_VAULT_DIR/blobs.

    `save` makes file and directories durable, and moves a file that is staged on the same volume (one with
    `temporary_file_path`) instead of copying it. It never overwrites: FileExistsError.
    `delete` makes the absence durable. Directories are 0700, files 0600. There are no URLs.
    Errors: SuspiciousFileOperation for any other name.
    """

    def __init__(self, location: str | Path | None = None) -> None:
        super().__init__(file_permissions_mode=0o600, directory_permissions_mode=0o700)
        self._given = location
        self._synced: set[Path] = set()  # directories whose names are durable

    @property
    def location(self) -> str:
        return str(self._given or Path(settings.LACUNA_VAULT_DIR) / "blobs")

    def path(self, name: str) -> str:
        if not NAME.fullmatch(name):
            raise SuspiciousFileOperation("that is no name of the vault")
        return str(Path(self.location, name[:2], name[2:4], name))

    def save(self, name: str | None, content: IO[Any], max_length: int | None = None) -> str:
        name = name or os.urandom(16).hex()
        path = Path(self.path(name))
        self._make_directories(path.parent)
        staged = getattr(content, "temporary_file_path", None)
        if staged is not None:
            self._take(Path(staged()), path)
        else:
            self._write(path, content if isinstance(content, File) else File(content, name))
        sync_directory(path.parent)
        return name

    def delete(self, name: str) -> None:
        path = Path(self.path(name))
        path.unlink(missing_ok=True)
        if path.parent.is_dir():
            sync_directory(path.parent)  # also when it was gone: an earlier call may have ended before this

    def listdir(self, path: str) -> tuple[list[str], list[str]]:
        """No directories, and every name there is; `path` is "". Errors: SuspiciousFileOperation."""
        if path:
            raise SuspiciousFileOperation("the vault has one list")
        return [], sorted(
            file.name for file in Path(self.location).glob("??/??/*") if NAME.fullmatch(file.name)
        )

    def traces(self) -> set[str]:
        """Every name of which a byte is stored."""
        return set(self.listdir("")[1])

    def objection(self) -> str:
        """Why the vault must not stand here: a disk has none of its own."""
        return ""

    def url(self, name: str | None) -> str:
        raise ValueError("nothing in the vault has an address")

    def get_available_name(self, name: str, max_length: int | None = None) -> str:
        return name

    def _make_directories(self, directory: Path) -> None:
        make_directory(Path(self.location))
        for level in (directory.parent, directory):
            if level in self._synced and level.is_dir():
                continue
            level.mkdir(mode=0o700, exist_ok=True)
            sync_directory(level.parent)  # also where it was there: its maker may not have come to this yet
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
    def _take(staged: Path, path: Path) -> None:
        fd = os.open(staged, os.O_RDWR | os.O_CLOEXEC)
        try:
            os.fchmod(fd, 0o600)
            durable.fsync(fd)
        finally:
            os.close(fd)
        os.link(staged, path)  # unlike a renaming, it refuses to overwrite
        staged.unlink()
        sync_directory(staged.parent)
