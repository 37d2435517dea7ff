"""Remove a keepsake or a memory before the map is locked. What the patient removes is destroyed."""

import dataclasses

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from clinic.accounts.models import User
from clinic.audit.record import Act, actor_of, record
from clinic.edits.seen import is_seen, seen_mark
from patients.cases.editing import LOCKED, CaseLocked
from patients.cases.models import Case
from patients.drafts.writing import end_drafts_about
from patients.keepsakes.models import Keepsake, KeepsakeFields
from patients.memories.models import Memory
from patients.vault.keys import KeyGone
from patients.vault.models import StoredObject
from patients.vault.objects import destroy, mark_for_destruction


class ChangedMeanwhile(CaseLocked):
    """What is to be destroyed was changed since the page was made."""


def _keepsake_state(keepsake: Keepsake) -> list[object]:
    """Return the words of a keepsake, and its memory, as plain data."""
    try:
        fields = keepsake.read()
    except KeyGone:
        return [keepsake.memory_id]
    return keepsake_state(keepsake, fields)


def keepsake_state(keepsake: Keepsake, fields: KeepsakeFields) -> list[object]:
    """Return what the pages of a keepsake show of its words and its memory, as plain data."""
    words = [fields.caption, fields.others, fields.when, fields.day, fields.returned_because]
    return [keepsake.memory_id, *words]


def keepsake_mark(keepsake: Keepsake) -> str:
    """Return the mark of a keepsake as it is now, for the page that offers to take it back."""
    return seen_mark(f"keepsake:{keepsake.pk}", *_keepsake_state(keepsake))


def _memory_state(memory: Memory) -> list[object]:
    """Return all that is destroyed together with a memory, as plain data."""
    try:
        fields = dataclasses.asdict(memory.read())
    except KeyGone:
        fields = {}
    return [memory.fate, memory.zone, memory.intensity, fields]


def memory_mark(memory: Memory) -> str:
    """Return the mark of a memory as it is now, for the page that offers to remove it."""
    return seen_mark(f"memory:{memory.pk}", *_memory_state(memory))


def remove_keepsake(keepsake: Keepsake, *, seen: str | None = None, by: User) -> None:
    """Destroy all of a keepsake; do nothing if it is gone already.

    seen: the `keepsake_mark` on the page; None where no page was shown. Errors: CaseLocked if the map is
    locked; ChangedMeanwhile if its words are not what the page showed.
    """
    with transaction.atomic():
        case = Case.objects.select_for_update().get(pk=keepsake.case_id)
        if not case.map_is_open:
            raise CaseLocked(str(LOCKED))
        row = Keepsake.objects.select_for_update().get(pk=keepsake.pk)
        if (
            seen is not None
            and row.gone_at is None
            and not is_seen(seen, f"keepsake:{row.pk}", *_keepsake_state(row))
        ):
            raise ChangedMeanwhile(
                _("This one was changed while your page was open. Look at it as it is now, then decide.")
            )
        gone = Keepsake.objects.filter(pk=keepsake.pk, gone_at__isnull=True).update(
            picture=None, thumb=None, gone_at=timezone.now()
        )
        if not gone:
            return
        mine = StoredObject.objects.filter(keepsake=keepsake)
        mark_for_destruction(mine, "removal")
        end_drafts_about(keepsake.pk)
        record(Act("keepsake.removed", f"keepsake:{keepsake.pk}", actor=actor_of(by), case=case.pk))
    destroy(mine)


def remove_memory(memory: Memory, *, seen: str | None = None, by: User) -> None:
    """Delete a memory and destroy its text.

    seen: the `memory_mark` on the page; None where no page was shown.

    Errors: CaseLocked if it has keepsakes, the map is locked, or a stopped night had it; ChangedMeanwhile if
    it is not what the page showed.
    """
    with transaction.atomic():
        case = Case.objects.select_for_update().get(pk=memory.case_id)
        if not case.map_is_open:
            raise CaseLocked(str(LOCKED))
        if Keepsake.objects.filter(memory=memory, gone_at__isnull=True).exists():
            raise CaseLocked(_("Take its keepsakes out of it first."))
        row = Memory.objects.select_for_update().filter(pk=memory.pk).first()
        if row is None:
            raise CaseLocked(_("This memory was taken off your file meanwhile."))
        if seen is not None and not is_seen(seen, f"memory:{row.pk}", *_memory_state(row)):
            raise ChangedMeanwhile(
                _("This memory was changed while your page was open. Look at it as it is now, then decide.")
            )
        # Through the reverse relation: steps belong to erasure, which this app must not import.
        if memory.steps.exists():
            raise CaseLocked(_("A night has begun on this memory, so it stays on your file."))
        mine = StoredObject.objects.filter(memory=memory)
        mark_for_destruction(mine, "removal")
        end_drafts_about(memory.pk)
        record(Act("memory.removed", f"memory:{memory.pk}", actor=actor_of(by), case=case.pk))
        mine.update(memory=None)
        Keepsake.objects.filter(memory=memory).update(memory=None)
        Memory.objects.filter(pk=memory.pk).delete()
    destroy(StoredObject.objects.filter(pk=memory.pk))
