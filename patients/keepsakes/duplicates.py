"""Which keepsakes are one thing brought twice: fingerprints from the sealed parts, compared in memory."""

from patients.imaging.fingerprint import NEAR, distance
from patients.keepsakes.models import KeepsakeFields


def bits_apart(one: KeepsakeFields, other: KeepsakeFields) -> int | None:
    """In how many of 64 bits two keepsakes differ, at most `NEAR`; None where they are not alike.

    Pictures are compared with pictures (a video by its first frame), recordings with recordings, and of two
    letters of several pages the two pages that are most alike.
    """
    pairs = [
        (one.fingerprint, other.fingerprint),
        (one.sound, other.sound),
        *((mine, theirs) for mine in one.prints for theirs in other.prints),
    ]
    found = [distance(int(mine, 16), int(theirs, 16)) for mine, theirs in pairs if mine and theirs]
    nearest = min(found, default=NEAR + 1)
    return nearest if nearest <= NEAR else None
