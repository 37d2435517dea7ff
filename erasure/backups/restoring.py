"""Bringing a backup back into an empty house, which obeys its keys before it serves anyone."""

import json
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.core.files.base import File
from django.db import connection

from clinic.audit.checkpoints import keep_once
from erasure.backups import database
from erasure.backups.manifest import BackupRefused, Item, Manifest, check, item_of, path_of
from patients.vault.objects import storage


@dataclass(frozen=True)
class Mark:
    """Left by a restore for the next opening of the house, which declares it in the log."""

    directory: str
    digest: str


def mark_path() -> Path:
    return Path(settings.LACUNA_DATA_DIR) / "restored.json"


def read_mark() -> Mark | None:
    """The restore that no opening has declared yet, if there was one."""
    try:
        return Mark(**json.loads(mark_path().read_text()))
    except FileNotFoundError:
        return None


def restore(directory: Path) -> Manifest:
    """Bring back database and ciphertext from `directory` into an empty database; keys are not touched.

    Objects that are in the vault already stay as they are. On any failure what was brought is taken away
    again. Errors: BackupRefused, OSError.
    """
    directory = directory.resolve()
    manifest = check(directory)
    if manifest.engine != connection.vendor:
        raise BackupRefused(f"This backup is of another database ({manifest.engine}) than the settings name.")
    database.check_empty()
    _check_vault(directory, manifest)
    brought: list[str] = []
    mark_path().unlink(missing_ok=True)
    try:
        for item in manifest.objects:
            if not storage().exists(item.name):
                brought.append(item.name)
                _bring(path_of(directory, item.name), item)
        mark = json.dumps({"directory": str(directory), "digest": manifest.digest}).encode()
        keep_once(mark_path(), mark, 0o600)  # before the database: nobody opens it without the mark
        database.bring_back(directory / manifest.database.name)
    except BaseException:
        mark_path().unlink(missing_ok=True)
        for name in brought:
            storage().delete(name)
        raise
    return manifest


def _check_vault(directory: Path, manifest: Manifest) -> None:
    """Errors: BackupRefused where the vault holds another object under one of the backup's names."""
    for item in manifest.objects:
        if storage().exists(item.name) and storage().size(item.name) != item.size:
            raise BackupRefused(f"The vault holds another object named {item.name}; it is not overwritten.")


def _bring(path: Path, item: Item) -> None:
    with path.open("rb") as file:
        storage().save(item.name, File(file, item.name))
    if item_of(path) != item:
        raise BackupRefused(f"{item.name} has changed while it was brought back.")
