"""Making a backup while the house goes on: database first, then the ciphertext that it names. Never a key."""

import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import UUID

from django.db import connection, transaction
from django.utils import timezone

from clinic.audit.record import Act, record
from clinic.durable import sync_directory
from erasure.backups import database, manifest
from erasure.backups.manifest import BackupRefused, Item, Manifest, path_of, write_durably
from erasure.backups.models import Backup
from patients.vault.models import StoredObject
from patients.vault.objects import storage


def make_backup(
    directory: Path, *, tell: Callable[[str], None] = lambda text: None
) -> tuple[Backup, Manifest]:
    """Back up database and vault into `directory`, which must not exist; verified after writing, catalogued.

    Objects are immutable, so they may be copied after the database; one that was doomed in between may be
    missing and is left out. On any failure nothing is left. Errors: BackupRefused, OSError.
    """
    directory = directory.resolve()
    if directory.exists() or directory.is_symlink():
        raise BackupRefused(f"{directory} exists, and nothing is ever overwritten.")
    directory.parent.mkdir(parents=True, exist_ok=True)
    draft = directory.with_name(f".{directory.name}.{secrets.token_hex(4)}")
    draft.mkdir(mode=0o700)
    try:
        tell("Copying the database")
        made = _fill(draft, tell)
        tell("Reading everything again")
        manifest.check(draft)
        _sync_tree(draft)
        backup = _enter(draft, directory, made)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    return backup, made


def _fill(draft: Path, tell: Callable[[str], None]) -> Manifest:
    made_at = timezone.now()
    taken = database.take(draft)
    tell(f"Copying {len(taken.objects)} objects")
    objects, missing = [], []
    for name in taken.objects:
        item = _copy(name, path_of(draft, name))
        if item is not None:
            objects.append(item)
        elif StoredObject.objects.live().filter(pk=UUID(name)).exists():
            missing.append(name)
    made = Manifest(
        engine=connection.vendor,
        made_at=made_at.isoformat(),
        log_size=taken.log_size,
        database=manifest.item_of(taken.file),
        objects=objects,
        missing=missing,
    )
    manifest.write(draft, made)
    return made


def _copy(name: str, path: Path) -> Item | None:
    """Copy one object; None where it has been destroyed meanwhile. Errors: OSError."""
    try:
        with storage().open(name) as source:
            return write_durably(path, iter(lambda: source.read(manifest.CHUNK), b""))
    except FileNotFoundError:
        path.unlink(missing_ok=True)
        return None


def _directories(root: Path) -> Iterator[Path]:
    return (path for path in root.rglob("*") if path.is_dir())


def _sync_tree(root: Path) -> None:
    for path in (*_directories(root), root):
        sync_directory(path)


def _enter(draft: Path, directory: Path, made: Manifest) -> Backup:
    """Give the backup its name and the catalogue its row, both or neither."""
    named = False
    try:
        with transaction.atomic():
            backup = catalogue(directory, made)
            os.rename(draft, directory)  # noqa: PTH104 - refuses to take the place of anything but nothing
            named = True
            sync_directory(directory.parent)
            record(
                Act(
                    "backup.made",
                    f"backup:{backup.pk}",
                    actor="system:backup",
                    details={
                        "digest": made.digest,
                        "objects": len(made.objects),
                        "missing": len(made.missing),
                        "bytes": made.size,
                        "log": made.log_size,
                    },
                )
            )
    except BaseException:
        if named:
            shutil.rmtree(directory, ignore_errors=True)
        raise
    return backup


def catalogue(directory: Path, made: Manifest) -> Backup:
    """The catalogue's row of a backup, made where there is none: a restored database knows no later ones."""
    return Backup.objects.update_or_create(
        digest=made.digest,
        defaults={"directory": str(directory)},
        create_defaults={
            "directory": str(directory),
            "made_at": made.made,
            "log_size": made.log_size,
            "objects_count": len(made.objects),
            "size": made.size,
        },
    )[0]
