"""Check the vault's files, the rows that name them, and unfinished uploads."""

import time
from uuid import UUID

from django.db.models import F, Q

from erasure.verification.keys import all_live_keys
from erasure.verification.places import Place, Subject
from patients.drafts.models import Draft
from patients.keepsakes.models import Keepsake, Upload
from patients.keepsakes.staging import staging_path
from patients.requests.models import AppointmentRequest
from patients.vault.models import HeldKey, StoredObject
from patients.vault.objects import storage

# A new key is durable shortly before its row is committed, so a key without a row is checked again after
# this.
RECHECK_AFTER = 1.0  # seconds


def files(subject: Subject) -> Place:
    """Check that no destroyed object still has a file. The name comes from the object's id, not from its row.

    In an S3 bucket an older version, or a part of an unfinished upload, counts as a file too.
    """
    names = [row.pk.hex for row in subject.objects]
    return Place.checked("files", sorted(storage().traces() & set(names)), len(names))


def stray_files() -> list[str]:
    """Return files of the vault without a row. Files are listed first: a row is older than its file."""
    names = storage().traces()
    return sorted(names - {key.hex for key in StoredObject.objects.values_list("pk", flat=True)})


def stray_keys() -> list[UUID]:
    """Return live keys without a row. `keys.keys` reports those of destroyed objects."""
    found = all_live_keys()
    for owners in (
        StoredObject.objects.all(),
        Upload.objects.all(),
        AppointmentRequest.objects.all(),
        Draft.objects.all(),
    ):
        found -= set(owners.values_list("pk", flat=True))
    return sorted(found)


def missing_files(subject: Subject) -> list[UUID]:
    """Return live objects of the case whose file is gone."""
    rows = StoredObject.objects.filter(case_id=subject.case_id).live().exclude(blob="")
    lost = [row.pk for row in rows if not storage().exists(row.blob)]
    return sorted(rows.filter(pk__in=lost).values_list("pk", flat=True))


def orphans(subject: Subject) -> Place:
    """Check for files without a row, keys without a row and rows without a file."""
    strays = stray_keys()
    if strays:
        time.sleep(RECHECK_AFTER)
        strays = sorted(set(strays) & set(stray_keys()))
    found = [f"file:{name}" for name in stray_files()]
    held = set(HeldKey.objects.values_list("pk", flat=True))
    found += [f"{'held-key' if key in held else 'key'}:{key}" for key in strays]
    found += [f"row:{row}" for row in missing_files(subject)]
    return Place.checked("orphans", found)


def _remaining(subject: Subject) -> list[StoredObject]:
    """Return remaining objects of keepsakes that are gone, and older frames of partly faded keepsakes."""
    mine = StoredObject.objects.filter(case_id=subject.case_id).remaining()
    gone = mine.filter(Q(memory__in=subject.memories) | Q(keepsake__in=subject.keepsakes))
    older = mine.filter(keepsake__level__gt=0, keepsake__gone_at__isnull=True).exclude(
        Q(pk=F("keepsake__picture")) | Q(pk=F("keepsake__thumb")) | Q(role=StoredObject.Role.SEAL)
    )
    return list(gone.union(older))


def frames(subject: Subject) -> Place:
    """Check that no original, rendition or frame remains, except a partly faded keepsake's current frame."""
    found = [row for row in _remaining(subject) if row.role not in {"thumb", "seal"}]
    return Place.checked("frames", [f"{row.role}:{row.pk}" for row in found])


def thumbs(subject: Subject) -> Place:
    """Check the same for thumbnails."""
    return Place.checked("thumbs", [row.pk for row in _remaining(subject) if row.role == "thumb"])


def pointers(subject: Subject) -> Place:
    """Check that no keepsake refers to a destroyed object, and that erased keepsakes are marked as gone."""
    ids = [row.pk for row in subject.objects]
    shown = Keepsake.objects.filter(Q(picture__in=ids) | Q(thumb__in=ids)).values_list("pk", flat=True)
    not_marked = Keepsake.objects.filter(pk__in=subject.keepsakes, gone_at__isnull=True)
    return Place.checked("pointers", sorted({*shown, *not_marked.values_list("pk", flat=True)}), len(ids))


def staging(subject: Subject) -> Place:
    """Check for unfinished uploads of the case, and for staged files without an unfinished upload."""
    unfinished = Upload.objects.filter(case=subject.case_id, keepsake__isnull=True)
    keys = unfinished.values_list("pk", flat=True) if subject.uploads_ended else []
    found = [f"upload:{key}" for key in keys]
    directory = staging_path(UUID(int=0)).parent
    names = {path.name for path in directory.iterdir()} if directory.is_dir() else set()
    known = {key.hex for key in Upload.objects.filter(keepsake__isnull=True).values_list("pk", flat=True)}
    return Place.checked("staging", found + [f"file:{name}" for name in sorted(names - known)])
