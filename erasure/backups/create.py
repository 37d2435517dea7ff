"""Make a backup while the site is in use: first the database, then the objects it names. Never a key."""

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
    directory: Path, *, report: Callable[[str], None] = lambda text: None
) -> tuple[Backup, Manifest]:
    """Back up database and vault into `directory`, which must not exist, and add the backup to the catalogue.

    Everything is read again after writing. Objects are immutable, so they can be copied after the database.
    An object that was marked for destruction in between may be missing and is left out. report: called with a
    line of text for each stage. After an error nothing is left on the disk. Errors: BackupRefused, OSError.
    """
    directory = directory.resolve()
    if directory.exists() or directory.is_symlink():
        raise BackupRefused(f"{directory} exists, and nothing is ever overwritten.")
    directory.parent.mkdir(parents=True, exist_ok=True)
    draft = directory.with_name(f".{directory.name}.{secrets.token_hex(4)}")
    draft.mkdir(mode=0o700)
    try:
        report("Copying the database")
        made = _write_content(draft, report)
        report("Reading everything again")
        manifest.check(draft)
        _sync_tree(draft)
        backup = _publish(draft, directory, made)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    return backup, made


def _write_content(draft: Path, report: Callable[[str], None]) -> Manifest:
    """Write database, objects and manifest into `draft`. Errors: BackupRefused, OSError."""
    made_at = timezone.now()
    taken = database.take(draft)
    report(f"Copying {len(taken.objects)} objects")
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
    """Copy one object; return None if its file no longer exists. Errors: OSError."""
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


def _publish(draft: Path, directory: Path, made: Manifest) -> Backup:
    """Rename `draft` to `directory` and add the backup to the catalogue and the audit log: all or nothing."""
    renamed = False
    try:
        with transaction.atomic():
            backup = catalogue(directory, made)
            os.rename(draft, directory)  # noqa: PTH104 - fails if there is anything at `directory`
            renamed = True
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
        if renamed:
            shutil.rmtree(directory, ignore_errors=True)
        raise
    return backup


def catalogue(directory: Path, made: Manifest) -> Backup:
    """Return the backup's row in the catalogue; create it if a restored database does not have it."""
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
