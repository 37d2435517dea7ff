"""Find keepsakes that were uploaded twice. Their fingerprints are sealed, and compared in memory."""

from collections.abc import Mapping
from uuid import UUID

from patients.imaging.fingerprint import NEAR, distance
from patients.keepsakes.models import Keepsake, KeepsakeFields
from patients.vault.sealed import read_many


def bits_apart(one: KeepsakeFields, other: KeepsakeFields) -> int | None:
    """Return in how many of 64 bits two keepsakes differ (at most `NEAR`), or None if they are not alike.

    Pictures are compared with pictures (a video by its first frame) and recordings with recordings. Two
    letters of several pages are compared by the two pages that are most alike.
    """
    pairs = [
        (one.fingerprint, other.fingerprint),
        (one.sound, other.sound),
        *((mine, theirs) for mine in one.prints for theirs in other.prints),
    ]
    found = [distance(int(mine, 16), int(theirs, 16)) for mine, theirs in pairs if mine and theirs]
    nearest = min(found, default=NEAR + 1)
    return nearest if nearest <= NEAR else None


def lookalikes(keepsake: Keepsake) -> list[Keepsake]:
    """Return the other keepsakes of the case that look the same. They are pointed out, never refused.

    A keepsake whose sealed fields were altered is alike to none: it must not keep others from arriving.
    """
    others = list(
        Keepsake.objects.filter(case=keepsake.case_id, gone_at__isnull=True)
        .exclude(pk=keepsake.pk)
        .select_related("thumb")
        .order_by("added_at")
    )
    fields_by_id = read_many([keepsake, *others], skip_damaged=True)
    mine = fields_by_id.get(keepsake.pk)
    if mine is None:
        return []
    return [
        row for row in others if row.pk in fields_by_id and bits_apart(mine, fields_by_id[row.pk]) is not None
    ]


def alike_ids(fields_by_id: Mapping[UUID, KeepsakeFields]) -> set[UUID]:
    """Return the ids of those keepsakes that look like another one of them.

    For a sheet of many: every two are compared (1,000 pictures take 30 ms), of letters of several pages only
    the first that is not blank.
    """
    found: set[UUID] = set()
    for prints in (
        [(int(fields.fingerprint, 16), pk) for pk, fields in fields_by_id.items() if fields.fingerprint],
        [(int(fields.sound, 16), pk) for pk, fields in fields_by_id.items() if fields.sound],
        [(int(fields.prints[0], 16), pk) for pk, fields in fields_by_id.items() if fields.prints],
    ):
        for index, (one, pk) in enumerate(prints):
            near = [other_pk for other, other_pk in prints[index + 1 :] if (one ^ other).bit_count() <= NEAR]
            if near:
                found.update(near, [pk])
    return found
