"""What the clinic still has of a case, and the order to destroy it outside a night.

The patient can order it unless a night is booked or under way: a night destroys by its own rules. Nothing is
destroyed before the time that the patient chose, and they can stop it as long as an item waits.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now
from django.utils.translation import gettext as _

from clinic.accounts.models import User
from clinic.audit.record import Act, actor_of, record
from clinic.outgoing.queue import cancel, queue
from clinic.outgoing.recipients import to_patient
from erasure.destructions.models import Destruction, DestructionItem
from erasure.procedures.models import Procedure
from erasure.runs.run_actions import after
from patients.cases.models import Case
from patients.keepsakes.models import Keepsake
from patients.memories.models import Memory
from patients.vault.models import StoredObject


class NotNow(Exception):
    """An order, a stop or a reopening is refused. The message tells the patient why."""


@dataclass
class MemoryWithKeepsakes:
    """A memory that is not erased, with those of its keepsakes that are not gone."""

    memory: Memory
    keepsakes: list[Keepsake] = field(default_factory=list)


@dataclass(frozen=True)
class Belongings:
    """What is left of a case, or the part of it that somebody chose.

    single: keepsakes without a memory that is left. In a choice also those chosen without their memory.
    has_words: whether the words of the case itself are left, or are part of the choice.
    """

    memories: list[MemoryWithKeepsakes]
    single: list[Keepsake]
    has_words: bool

    @property
    def keepsakes(self) -> list[Keepsake]:
        return [keepsake for part in self.memories for keepsake in part.keepsakes] + self.single

    def __bool__(self) -> bool:
        return bool(self.memories or self.single or self.has_words)

    def choose(
        self, memories: Collection[UUID], keepsakes: Collection[UUID], *, everything: bool
    ) -> "Belongings":
        """Return the part that was chosen: whole memories, and single keepsakes.

        memories, keepsakes: their ids. A keepsake whose memory is chosen too is listed only in that memory.
        everything: return all, with the words of the case, whatever the ids are.
        """
        if everything:
            return self
        chosen = [part for part in self.memories if part.memory.pk in memories]
        in_chosen = {keepsake.pk for part in chosen for keepsake in part.keepsakes}
        single = [one for one in self.keepsakes if one.pk in keepsakes and one.pk not in in_chosen]
        return Belongings(chosen, single, has_words=False)


def belongings_of(case: Case) -> Belongings:
    """Return all that is left of a case: memories by number, the highest first, as a night erases them.

    Those without a number follow, the newest first. Keepsakes are in the order in which they came.
    """
    memories = Memory.objects.filter(case=case).exclude(fate=Memory.Fate.ERASED)
    parts = {
        memory.pk: MemoryWithKeepsakes(memory)
        for memory in memories.order_by(F("number").desc(nulls_last=True), "-made_at", "pk")
    }
    single: list[Keepsake] = []
    keepsakes = Keepsake.objects.filter(case=case, gone_at__isnull=True).select_related("picture", "thumb")
    for keepsake in keepsakes.order_by("added_at", "pk"):
        part = parts.get(keepsake.memory_id) if keepsake.memory_id else None
        (part.keepsakes if part else single).append(keepsake)
    # The key of the case's own words has the id of the case.
    has_words = StoredObject.objects.filter(pk=case.pk).live().exists()
    return Belongings(list(parts.values()), single, has_words)


def cases_with_a_night(cases: Iterable[UUID]) -> set[UUID]:
    """Return the ids of those cases that have a night booked or under way. cases: their ids."""
    states = [Procedure.State.BOOKED, Procedure.State.STARTED]
    return set(
        Procedure.objects.filter(case__in=set(cases), state__in=states).values_list("case_id", flat=True)
    )


def has_night(case: Case) -> bool:
    """Return whether a night of the case is booked or under way."""
    return bool(cases_with_a_night([case.pk]))


def unfinished_destruction(case: Case) -> Destruction | None:
    """Return the destruction of the case that is not finished, or None. There is at most one."""
    return Destruction.objects.filter(case=case).exclude(state=Destruction.State.FINISHED).first()


@transaction.atomic
def order(
    case: Case,
    *,
    by: User | None,
    memories: Collection[UUID] = (),
    keepsakes: Collection[UUID] = (),
    everything: bool = False,
    wait: timedelta = timedelta(),
) -> Destruction:
    """Order the destruction of what is chosen of a case, and return it. It begins after `wait`.

    by: the patient; None if the clinic orders it because the time of keeping is over.
    memories: ids of memories, each destroyed with all its keepsakes. keepsakes: ids of single keepsakes.
    everything: all that is left, with the words of the case; only of a case that is over.
    Errors: NotNow if `by` is somebody else, if everything of an open case is chosen, if a night is booked or
    under way, if another destruction is not finished, if a chosen thing is not left any more, or if nothing
    was chosen.
    """
    locked = Case.objects.select_for_update().get(pk=case.pk)
    if by is not None and by.pk != locked.patient_id:
        raise NotNow(_("Only the patient can order this."))
    if everything and not locked.is_over:
        raise NotNow(_("Take back your consent first. Then everything can be destroyed."))
    if has_night(locked):
        raise NotNow(
            _(
                "A night is booked for this map, or under way. Take back your consent, or cancel the night,"
                " first."
            )
        )
    if unfinished_destruction(locked):
        raise NotNow(_("Something of yours is being destroyed already. Please wait until that is done."))
    belongings = belongings_of(locked)
    _check_still_here(belongings, memories, keepsakes)
    items = _items(belongings.choose(memories, keepsakes, everything=everything))
    if not items:
        raise NotNow(_("Choose what is to be destroyed."))
    destruction = Destruction.objects.create(case=locked, asked_by=by, whole_case=everything)
    begins = after(wait.total_seconds())
    Destruction.objects.filter(pk=destruction.pk).update(asked_at=Now(), begins_at=begins, next_due_at=begins)
    destruction.refresh_from_db()
    for position, item in enumerate(items):
        item.destruction, item.position = destruction, position
    DestructionItem.objects.bulk_create(items)
    patient = to_patient(locked.patient)
    event = "destruction-ordered" if by else "keeping-ends"
    queue(event, f"destruction:{destruction.pk}", to=[patient], version=1, case=locked.pk)
    record(
        Act(
            "destruction.ordered" if by else "destruction.due",
            f"destruction:{destruction.pk}",
            actor=actor_of(by, "supervisor"),
            case=locked.pk,
            run=destruction.pk,
            details={
                "items": len(items),
                "whole_case": everything,
                "wait_minutes": int(wait.total_seconds() // 60),
            },
        )
    )
    return destruction


def _check_still_here(
    belongings: Belongings, memories: Collection[UUID], keepsakes: Collection[UUID]
) -> None:
    """Raise NotNow if a chosen memory or keepsake is not left any more."""
    gone = set(memories) - {part.memory.pk for part in belongings.memories}
    gone |= set(keepsakes) - {keepsake.pk for keepsake in belongings.keepsakes}
    if gone:
        raise NotNow(_("Something that you chose is not here any more. Please look again."))


def _items(chosen: Belongings) -> list[DestructionItem]:
    """Return unsaved items in their order: memories, single keepsakes, at last the words of the case."""
    kinds = DestructionItem.Kind
    return [
        *(DestructionItem(kind=kinds.MEMORY, memory=part.memory) for part in chosen.memories),
        *(DestructionItem(kind=kinds.KEEPSAKE, keepsake=keepsake) for keepsake in chosen.single),
        *([DestructionItem(kind=kinds.CASE)] if chosen.has_words else []),
    ]


@transaction.atomic
def stop(destruction_id: UUID, *, by: User) -> bool:
    """Stop a destruction: items that wait are spared. Return False if none waits.

    An item that is being destroyed already is destroyed to its end. The supervisor finishes the destruction,
    and certifies it if anything was destroyed.
    Errors: NotNow if `by` is not the patient.
    """
    destruction = (
        Destruction.objects.select_for_update(of=("self",)).select_related("case").get(pk=destruction_id)
    )
    if by.pk != destruction.case.patient_id:
        raise NotNow(_("Only the patient can stop this."))
    waiting = destruction.items.filter(state=DestructionItem.State.WAITING)
    if destruction.state == Destruction.State.FINISHED or not waiting.exists():
        return False
    spared = waiting.update(state=DestructionItem.State.SPARED)
    # It is due now, so that the supervisor process finishes it. Its pages must no longer say that it waits.
    Destruction.objects.filter(pk=destruction.pk).update(
        state=Destruction.State.DESTROYING, next_due_at=Now()
    )
    cancel(f"destruction:{destruction.pk}", "destruction-ordered", "keeping-ends")
    record(
        Act(
            "destruction.stopped",
            f"destruction:{destruction.pk}",
            actor=actor_of(by),
            case=destruction.case_id,
            run=destruction.pk,
            details={"spared": spared},
        )
    )
    return True
