"""The vault's files, the rows that name them, and what is on its way into it."""

import time
from uuid import UUID

from django.db.models import F, Q

from erasure.verification.keys import all_live_keys
from erasure.verification.places import Place, Subject
from patients.keepsakes.models import Keepsake, Upload
from patients.keepsakes.staging import staging_path
from patients.requests.models import AppointmentRequest
from patients.vault.models import HeldKey, StoredObject
from patients.vault.objects import storage

# A key is durable a moment before the row that names it can be seen: what has none is looked at twice.
SECOND_LOOK = 1.0  # seconds


def files(subject: Subject) -> Place:
    """No destroyed object has its file, by the name it had by construction and not by what its row says.

    In a bucket an older version, or a part of an upload that came to no end, is a file as well.
    """
    names = [row.pk.hex for row in subject.objects]
    return Place.of("files", sorted(storage().traces() & set(names)), len(names))


def stray_files() -> list[str]:
    """Files of the vault that no row ever named. Listed before the rows, which are always older."""
    names = storage().traces()
    return sorted(names - {key.hex for key in StoredObject.objects.values_list("pk", flat=True)})


def stray_keys() -> list[UUID]:
    """Live keys that no row ever named; those whose row says that they are destroyed are `keys.keys`'s."""
    found = all_live_keys()
    for owners in (
        StoredObject.objects.all(),
        Upload.objects.all(),
        AppointmentRequest.objects.all(),
    ):
        found -= set(owners.values_list("pk", flat=True))
    return sorted(found)


def missing_files(subject: Subject) -> list[UUID]:
    """Objects of the case whose row says that they live and whose file is gone."""
    rows = StoredObject.objects.filter(case_id=subject.case_id).live().exclude(blob="")
    lost = [row.pk for row in rows if not storage().exists(row.blob)]
    return sorted(rows.filter(pk__in=lost).values_list("pk", flat=True))


def orphans(subject: Subject) -> Place:
    """Files without row, keys without row, rows without file."""
    strays = stray_keys()
    if strays:
        time.sleep(SECOND_LOOK)
        strays = sorted(set(strays) & set(stray_keys()))
    found = [f"file:{name}" for name in stray_files()]
    held = set(HeldKey.objects.values_list("pk", flat=True))
    found += [f"{'held-key' if key in held else 'key'}:{key}" for key in strays]
    found += [f"row:{row}" for row in missing_files(subject)]
    return Place.of("orphans", found)


def _remaining(subject: Subject) -> list[StoredObject]:
    """Objects that still live of keepsakes that are gone, and what a damaged one has beside its one frame."""
    mine = StoredObject.objects.filter(case_id=subject.case_id).remaining()
    gone = mine.filter(Q(memory__in=subject.memories) | Q(keepsake__in=subject.keepsakes))
    older = mine.filter(keepsake__level__gt=0, keepsake__gone_at__isnull=True).exclude(
        Q(pk=F("keepsake__picture")) | Q(pk=F("keepsake__thumb")) | Q(role=StoredObject.Role.SEAL)
    )
    return list(gone.union(older))


def frames(subject: Subject) -> Place:
    """No older frame, original or rendition lives on beside the frame that is shown, or after the last."""
    found = [row for row in _remaining(subject) if row.role not in {"thumb", "seal"}]
    return Place.of("frames", [f"{row.role}:{row.pk}" for row in found])


def thumbs(subject: Subject) -> Place:
    """No small picture either: the one most often forgotten."""
    return Place.of("thumbs", [row.pk for row in _remaining(subject) if row.role == "thumb"])


def pointers(subject: Subject) -> Place:
    """No keepsake shows what is destroyed."""
    ids = [row.pk for row in subject.objects]
    shown = Keepsake.objects.filter(Q(picture__in=ids) | Q(thumb__in=ids)).values_list("pk", flat=True)
    unsaid = Keepsake.objects.filter(pk__in=subject.keepsakes, gone_at__isnull=True)
    return Place.of("pointers", sorted({*shown, *unsaid.values_list("pk", flat=True)}), len(ids))


def staging(subject: Subject) -> Place:
    """No upload of the case is on its way, and no staged file is left of one that arrived or was given up."""
    under_way = Upload.objects.filter(case=subject.case_id, keepsake__isnull=True)
    found = [f"upload:{key}" for key in under_way.values_list("pk", flat=True)]
    directory = staging_path(UUID(int=0)).parent
    names = {path.name for path in directory.iterdir()} if directory.is_dir() else set()
    known = {key.hex for key in Upload.objects.filter(keepsake__isnull=True).values_list("pk", flat=True)}
    return Place.of("staging", found + [f"file:{name}" for name in sorted(names - known)])
