"""Find keepsakes that were uploaded twice. Their fingerprints are sealed, and compared in memory."""

from patients.imaging.fingerprint import NEAR, distance
from patients.keepsakes.models import KeepsakeFields


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
