"""A drill: try to open everything that a backup holds, with the keys of today, on a scratch copy."""

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
from erasure.backups.database import Cursor, scratch
from erasure.backups.manifest import CHUNK, Manifest, check, path_of
from erasure.backups.models import Drill
from patients.keepsakes.staging import open_upload_keys
from patients.requests.models import AppointmentRequest
from patients.vault.configured import key_store
from patients.vault.keys import KeyGone
from patients.vault.models import StoredObject
from patients.vault.objects import associated_data
from patients.vault.sealed import SealedModel
from patients.vault.stream import Reader, Tampered


@dataclass
class Tally:
    """How many things that are kept, and that are erased, opened and did not."""

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


def living() -> set[UUID]:
    """Ids of all that the house keeps today, by its own rows."""
    kept = set(StoredObject.objects.live().values_list("pk", flat=True)) | open_upload_keys()
    return kept | set(AppointmentRequest.objects.values_list("pk", flat=True))


def hold_drill(directory: Path) -> Drill:
    """Try everything in the backup at `directory`, record and log how it went.

    Errors: BackupRefused for what is no whole backup of ours; KeyStoreDamaged, OSError.
    """
    directory = directory.resolve()
    manifest = check(directory)
    before = living()
    tried = list(_objects(directory, manifest))
    with (
        tempfile.TemporaryDirectory(prefix="drill-", dir=settings.LACUNA_DATA_DIR) as place,
        scratch(directory / manifest.database.name, Path(place)) as cursor,
    ):
        tried += _papers(cursor)
    return _enter(directory, manifest, _tally(tried, before, living()))


def _tally(tried: list[tuple[UUID, bool]], before: set[UUID], after: set[UUID]) -> Tally:
    """What ended while the drill went on counts on neither side."""
    tally = Tally()
    for key_id, opened in tried:
        if (key_id in before) == (key_id in after):
            tally.count(kept=key_id in before, opened=opened)
    return tally


def _objects(directory: Path, manifest: Manifest) -> Iterator[tuple[UUID, bool]]:
    """Each object of the backup, and whether it opened to its last byte."""
    for item in manifest.objects:
        key_id = UUID(item.name)
        yield key_id, _opens(path_of(directory, item.name), key_id)


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


def _papers(cursor: Cursor) -> Iterator[tuple[UUID, bool]]:
    """Each sealed row of the backup's database, and whether its words could be read."""
    for model in apps.get_models():
        if not issubclass(model, SealedModel):
            continue
        for row in _rows(cursor, model):
            try:
                row.read()
            except (KeyGone, Tampered):
                yield row.seal_key_id, False
            else:
                yield row.seal_key_id, True


def _rows(cursor: Cursor, model: type[SealedModel]) -> list[SealedModel]:
    """The sealed rows of a model, as far as the backup's version and this one have the same columns."""
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
def _enter(directory: Path, manifest: Manifest, tally: Tally) -> Drill:
    result = tally.result
    drill = Drill.objects.create(backup=catalogue(directory, manifest), result=result, **vars(tally))
    broken = result == Drill.Result.BROKEN
    action = "backup.failed-drill" if broken else "backup.drilled"
    details = {"digest": manifest.digest, "result": str(result), **vars(tally)}
    record(Act(action, f"backup:{drill.backup_id}", "system:backup", details=details))
    return drill
