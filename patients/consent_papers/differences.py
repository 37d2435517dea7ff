"""What has changed on a list since a page showed it, in words.

The page carries what it showed, signed by us: `mark_of`. Only the patient reads it, and it is stored nowhere.
"""

import hashlib
from dataclasses import dataclass
from typing import Any

from django.core import signing
from django.utils.translation import gettext as _

from clinic.audit.canonical import dump
from patients.consent_papers.consent_list import ConsentList

SALT = "patients.consent_papers.differences"
MAX_MARK_LENGTH = 500_000  # characters; the mark of a list of 2,000 keepsakes has about 150,000


@dataclass(frozen=True)
class Difference:
    """What is new on a list, what is not on it any more, and the words (before, now) of what changed."""

    added: list[str]
    gone: list[str]
    changed: list[tuple[str, str]]

    def __bool__(self) -> bool:
        return bool(self.added or self.gone or self.changed)


def mark_of(listed: ConsentList) -> str:
    """Return what a page carries of the list it shows, to say later what has changed."""
    return signing.dumps(_lines(listed), salt=SALT, compress=True)


def difference_from(mark: str, listed: ConsentList) -> Difference:
    """Return how a list differs from the one of which `mark` was made.

    mark: as it was posted. An empty difference if we did not sign it.
    """
    try:
        before = signing.loads(mark, salt=SALT) if len(mark) <= MAX_MARK_LENGTH else {}
    except signing.BadSignature:
        before = {}
    if not before:
        return Difference([], [], [])
    now = _lines(listed)
    return Difference(
        added=[words for key, (_digest, words) in now.items() if key not in before],
        gone=[words for key, (_digest, words) in before.items() if key not in now],
        changed=[
            (before[key][1], words)
            for key, (digest, words) in now.items()
            if key in before and before[key][0] != digest
        ],
    )


def _lines(listed: ConsentList) -> dict[str, tuple[str, str]]:
    """Return by id (hex), of each memory and keepsake, a digest of what the list has of it, and its words."""
    what_becomes = {
        "erased": _("is erased"),
        "protected": _("is kept on purpose"),
        "childhood": _("is of your childhood, and kept"),
    }
    found = {}
    for part, memory in listed.memories:
        words = ", ".join(filter(None, [memory.name, memory.described]))
        # Left out: keepsakes, which are lines of their own, and the number, which another memory can shift.
        content = {**memory.content(), "keepsakes": [], "number": None}
        found[memory.id.hex] = (_digest(part, content), f"{words}: {what_becomes[part]}")
        for one in memory.keepsakes:
            words = _("%(keepsake)s: in the memory “%(memory)s”") % {
                "keepsake": one.described,
                "memory": memory.name,
            }
            found[one.id.hex] = (_digest(memory.id.hex, one.content()), words)
    for one in listed.unplaced:
        words = _("%(keepsake)s: in no memory") % {"keepsake": one.described}
        found[one.id.hex] = (_digest("", one.content()), words)
    return found


def _digest(place: str, content: dict[str, Any]) -> str:
    return hashlib.sha256(dump([place, content])).hexdigest()[:16]
