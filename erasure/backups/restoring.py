"""Restore a backup into an empty installation. `reconcile_with_keys` then runs before the server starts."""

import json
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.core.files.base import File
from django.db import connection

from clinic.audit.checkpoints import keep_once
from clinic.audit.restored import sign_restore
from erasure.backups import database
from erasure.backups.manifest import BackupRefused, Item, Manifest, check, item_of, path_of
from patients.vault.objects import storage


class NotDeclared(Exception):
    """The backup is restored, but the note that declares it could not be signed. The message says why."""


@dataclass(frozen=True)
class RestoreMark:
    """A note that `restore` leaves for the next start, which then declares the restore in the audit log."""

    directory: str
    digest: str


def mark_path() -> Path:
    return Path(settings.LACUNA_DATA_DIR) / "restored.json"


def read_mark() -> RestoreMark | None:
    """Return the note of a restore that is not yet declared in the log, or None."""
    try:
        return RestoreMark(**json.loads(mark_path().read_text()))
    except FileNotFoundError:
        return None


def restore(directory: Path) -> Manifest:
    """Restore database and ciphertext from `directory`. The database must be empty. Keys are not touched.

    Objects that are already in the vault are not changed. What the log lost by it is signed, before anything
    is added to that log. After an error everything restored is removed again, but for NotDeclared. Errors:
    BackupRefused, OSError, NotDeclared.
    """
    directory = directory.resolve()
    manifest = check(directory)
    if manifest.engine != connection.vendor:
        raise BackupRefused(f"This backup is of another database ({manifest.engine}) than the settings name.")
    database.check_empty()
    _check_vault(directory, manifest)
    restored: list[str] = []
    mark_path().unlink(missing_ok=True)
    try:
        for item in manifest.objects:
            if not storage().exists(item.name):
                restored.append(item.name)
                _restore_object(path_of(directory, item.name), item)
        mark = json.dumps({"directory": str(directory), "digest": manifest.digest}).encode()
        keep_once(mark_path(), mark, 0o600)  # first: the server must not start without the mark
        database.restore(directory / manifest.database.name)
    except BaseException:
        mark_path().unlink(missing_ok=True)
        for name in restored:
            storage().delete(name)
        raise
    try:
        sign_restore()
    except (OSError, LookupError, ValueError) as error:
        raise NotDeclared(str(error)) from error
    return manifest


def _check_vault(directory: Path, manifest: Manifest) -> None:
    """Check that objects already in the vault have the size of those in the backup. Errors: BackupRefused."""
    for item in manifest.objects:
        if storage().exists(item.name) and storage().size(item.name) != item.size:
            raise BackupRefused(f"The vault holds another object named {item.name}; it is not overwritten.")


def _restore_object(path: Path, item: Item) -> None:
    """Copy one object into the vault. Errors: BackupRefused, OSError."""
    with path.open("rb") as file:
        storage().save(item.name, File(file, item.name))
    if item_of(path) != item:
        raise BackupRefused(f"{item.name} has changed while it was restored.")
