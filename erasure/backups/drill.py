"""Drills: try to open everything in a backup with the current keys, on a temporary copy of its database."""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from django.apps import apps
from django.conf import settings
from django.db import connection, transaction

from clinic.audit.record import Act, record
from erasure.backups.create import catalogue
from erasure.backups.database import Cursor, scratch_copy
from erasure.backups.manifest import CHUNK, Manifest, check, path_of
from erasure.backups.models import Drill
from patients.drafts.models import Draft
from patients.keepsakes.staging import open_upload_keys
from patients.requests.models import AppointmentRequest
from patients.vault.configured import key_store
from patients.vault.keys import KeyGone
from patients.vault.models import StoredObject
from patients.vault.objects import associated_data
from patients.vault.sealed import SealedModel
from patients.vault.stream import Reader, Tampered

# The ids of the keys that something in the backup needs, and whether it could be decrypted.
Attempt = tuple[tuple[UUID, ...], bool]


@dataclass
class Tally:
    """Counts of objects and sealed rows: kept or erased today, and opened or closed (could not be opened)."""

    kept_opened: int = 0
    kept_closed: int = 0
    erased_opened: int = 0
    erased_closed: int = 0

    def count(self, *, kept: bool, opened: bool) -> None:
        name = f"{'kept' if kept else 'erased'}_{'opened' if opened else 'closed'}"
        setattr(self, name, getattr(self, name) + 1)

    @property
    def result(self) -> Drill.Result:
        if self.erased_opened or self.kept_closed:
            return Drill.Result.BROKEN
        return Drill.Result.HOLDS if self.kept_opened else Drill.Result.UNCONTROLLED


def kept_ids() -> set[UUID]:
    """Return the ids of everything that is kept today, by the rows of the current database."""
    kept = set(StoredObject.objects.live().values_list("pk", flat=True)) | open_upload_keys()
    kept |= set(Draft.objects.live().values_list("pk", flat=True))
    return kept | set(AppointmentRequest.objects.exclude(sealed=b"").values_list("pk", flat=True))


def hold_drill(directory: Path) -> Drill:
    """Try to open everything in the backup at `directory`; record the result, also in the audit log.

    Errors: BackupRefused if it is not a complete backup of ours; KeyStoreDamaged, OSError.
    """
    directory = directory.resolve()
    manifest = check(directory)
    before = kept_ids()
    attempts = list(_try_objects(directory, manifest))
    with (
        tempfile.TemporaryDirectory(prefix="drill-", dir=settings.LACUNA_DATA_DIR) as scratch,
        scratch_copy(directory / manifest.database.name, Path(scratch)) as cursor,
    ):
        attempts += _try_sealed_rows(cursor)
    return _record(directory, manifest, _tally(attempts, before, kept_ids()))


def _tally(attempts: list[Attempt], before: set[UUID], after: set[UUID]) -> Tally:
    """Count the attempts. What was erased or created during the drill is not counted.

    Something is kept as long as all of its keys are.
    """
    tally = Tally()
    for key_ids, opened in attempts:
        kept = before.issuperset(key_ids)
        if kept == after.issuperset(key_ids):
            tally.count(kept=kept, opened=opened)
    return tally


def _try_objects(directory: Path, manifest: Manifest) -> Iterator[Attempt]:
    """Try to decrypt all of each object in the backup."""
    for item in manifest.objects:
        key_id = UUID(item.name)
        yield (key_id,), _opens(path_of(directory, item.name), key_id)


def _opens(path: Path, key_id: UUID) -> bool:
    try:
        with (
            path.open("rb") as file,
            Reader(file, key_store().get(key_id), associated_data(key_id)) as reader,
        ):
            while reader.read(CHUNK):
                pass
    except (KeyGone, Tampered):
        return False
    return True


def _try_sealed_rows(cursor: Cursor) -> Iterator[Attempt]:
    """Try to decrypt each sealed row in the backup's database."""
    for model in apps.get_models():
        if not issubclass(model, SealedModel):
            continue
        for row in _rows(cursor, model):
            try:
                row.read()
            except (KeyGone, Tampered):
                yield row.seal_key_ids, False
            else:
                yield row.seal_key_ids, True


def _rows(cursor: Cursor, model: type[SealedModel]) -> list[SealedModel]:
    """Return a model's sealed rows, with those columns that the backup's version and this one share."""
    cursor.execute(f"SELECT * FROM {connection.ops.quote_name(model._meta.db_table)}")  # noqa: S608 - a model's
    names = [column[0] for column in cursor.description or ()]
    fields = {field.column: field for field in model._meta.local_concrete_fields}
    rows = [
        model(
            **{
                fields[name].attname: fields[name].to_python(value)
                for name, value in zip(names, values, strict=True)
                if name in fields
            }
        )
        for values in cursor.fetchall()
    ]
    return [row for row in rows if row.sealed]


@transaction.atomic
def _record(directory: Path, manifest: Manifest, tally: Tally) -> Drill:
    result = tally.result
    drill = Drill.objects.create(backup=catalogue(directory, manifest), result=result, **vars(tally))
    broken = result == Drill.Result.BROKEN
    action = "backup.failed-drill" if broken else "backup.drilled"
    details = {"digest": manifest.digest, "result": str(result), **vars(tally)}
    record(Act(action, f"backup:{drill.backup_id}", "system:backup", details=details))
    return drill
