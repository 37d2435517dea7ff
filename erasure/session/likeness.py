"""A memory's keepsake and its copy off the map, side by side: blurred until the doctor asks to see them.

Only `seen` and `look` know how a picture is blurred and how a look is recorded.
"""

from dataclasses import dataclass

from django.db import transaction

from clinic.accounts.models import User
from erasure.runs.models import Hold
from erasure.session.snapshot import format_day
from patients.keepsakes.looks import LookReason, record_look
from patients.keepsakes.models import Keepsake, KeepsakeFields
from patients.keepsakes.playback import played_of
from patients.memories.models import MemoryFields
from patients.vault.models import StoredObject
from patients.vault.sealed import read_many

# The reasons for a look that fit a decision on a copy. The patient can read them.
LOOK_REASONS = [
    (reason.value, reason.label) for reason in (LookReason.COMPARE, LookReason.OTHERS, LookReason.DOUBT)
]


@dataclass(frozen=True)
class Seen:
    """One keepsake of a pair. sharp: it is shown unblurred; `plays` and `fields` are used only then."""

    keepsake: Keepsake
    title: str
    day: str
    number: int | None
    fields: KeepsakeFields
    sharp: bool
    plays: StoredObject | None


def seen(item: Hold, *, sharp: bool) -> list[Seen]:
    """Return the memory's keepsake and its copy as they are shown. Without `sharp` both are blurred."""
    pair = [item.keepsake, item.copy]
    words = read_many(pair)
    memories = read_many([one.memory for one in pair if one.memory])
    told = [memories.get(one.memory_id) or MemoryFields() for one in pair]
    return [
        Seen(
            keepsake=one,
            title=memory.title,
            day=memory.when or format_day(memory.day),
            number=one.memory.number if one.memory else None,
            fields=words.get(one.pk) or KeepsakeFields(),
            sharp=sharp,
            plays=played_of(one) if sharp else None,
        )
        for one, memory in zip(pair, told, strict=True)
    ]


@transaction.atomic
def look(item: Hold, why: str, *, by: User) -> None:
    """Record that `by` looks at both keepsakes, and why. Errors: NoReason for an unknown reason."""
    for one in (item.keepsake, item.copy):
        record_look(one, why, by=by)
