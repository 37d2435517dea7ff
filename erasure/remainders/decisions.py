"""The patient's decisions about memories that a run erased only in part: give back, keep or destroy.

They stay encrypted until the patient decides. Each decision is recorded, and possible only while no procedure
of the case is booked or started.
"""

from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext as _

from clinic.accounts.models import User
from clinic.audit.record import Act, actor_of, record
from erasure.destructions.destroying import faded_with
from erasure.destructions.orders import cases_with_a_night
from erasure.runs.models import Remainder, Run, Step
from erasure.runs.passes import PASS_COUNT, capacity_bits
from patients.keepsakes.models import Keepsake
from patients.memories.models import Memory
from patients.vault.keys import KeyGone
from patients.vault.models import StoredObject
from patients.vault.objects import destroy as destroy_doomed
from patients.vault.objects import mark_for_destruction, read
from patients.vault.stream import Tampered


class NotNow(Exception):
    """This decision is not possible now; the message says why."""


@dataclass(frozen=True)
class PartlyErased:
    """One partly erased memory, for the patient's page."""

    step: Step
    keepsakes: list[Keepsake]
    title: str
    state: str  # Remainder.state; "" while nothing is decided
    open: bool = True  # whether the patient can decide: not while a night is booked or under way

    @property
    def memory_id(self) -> UUID:
        return self.step.memory_id

    @property
    def number(self) -> int | None:
        return self.step.memory.number

    @property
    def bits(self) -> int:
        """Upper limit of the information that is still stored, in bits."""
        return capacity_bits(self.keepsakes)

    @property
    def passes(self) -> int:
        return PASS_COUNT


def damaged_steps(**of: Any) -> "list[Step]":
    """Return the steps that ended between the first and the last pass; for each memory only the latest.

    of: lookups on Step that say whose steps, such as `run__procedure__case=case`.
    """
    steps = (
        Step.objects.filter(
            **of,
            run__state=Run.State.FINISHED,
            state=Step.State.SPARED,
            level__gt=0,
            level__lt=PASS_COUNT,
        )
        .exclude(memory__fate=Memory.Fate.ERASED)
        .select_related("memory__case", "run__procedure", "remainder")
        .order_by("run__started_at", "position")
    )
    latest = {step.memory_id: step for step in steps}  # a later step replaces an earlier one
    return list(latest.values())


def _damaged_steps(patient: User) -> "list[Step]":
    return damaged_steps(run__procedure__case__patient=patient)


def partly_erased_of(patient: User) -> list[PartlyErased]:
    """Return the partly erased memories of a patient's finished runs, by run, then in erasing order."""
    steps = _damaged_steps(patient)
    undecidable = cases_with_a_night(step.memory.case_id for step in steps)
    return [replace(_partly_erased(step), open=step.memory.case_id not in undecidable) for step in steps]


def _partly_erased(step: Step) -> PartlyErased:
    keepsakes = Keepsake.objects.filter(faded_with(step.memory_id), gone_at__isnull=True)
    try:
        title = step.memory.read().title
    except KeyGone:
        title = ""
    remainder: Remainder | None = getattr(step, "remainder", None)
    rows = list(keepsakes.select_related("picture", "thumb").order_by("added_at", "pk"))
    return PartlyErased(step, rows, title, remainder.state if remainder else "")


def count_undecided(patient: User) -> int:
    """Return how many partly erased memories wait for the patient's decision.

    None of a case whose night is booked or under way: nothing can be decided then.
    """
    undecided = [step for step in _damaged_steps(patient) if not hasattr(step, "remainder")]
    undecidable = cases_with_a_night(step.memory.case_id for step in undecided)
    return sum(1 for step in undecided if step.memory.case_id not in undecidable)


def _lock_memory(memory_id: UUID, by: User) -> Step:
    """Lock the memory's row and return its latest partly erased step. Errors: NotNow."""
    memory = Memory.objects.select_for_update().filter(pk=memory_id).first()
    if memory is None:
        raise NotNow(_("Nothing of this memory is left to decide on."))
    step = next((step for step in _damaged_steps(by) if step.memory_id == memory_id), None)
    if step is None or memory.fate == Memory.Fate.ERASED:
        raise NotNow(_("Nothing of this memory is left to decide on."))
    if cases_with_a_night([memory.case_id]):
        raise NotNow(
            _(
                "A night is booked for this map, or under way. Nothing can be decided on its memories until"
                " it is over."
            )
        )
    return step


def _decide(step: Step, state: str, by: User) -> None:
    extra_fields = {"given_at": Now()} if state == Remainder.State.GIVEN_BACK else {}
    Remainder.objects.update_or_create(
        step=step, defaults={"state": state, "decided_by": by, "decided_at": Now(), **extra_fields}
    )


def _record(action: str, step: Step, by: User, **details: int) -> None:
    record(
        Act(
            action,
            f"memory:{step.memory_id}",
            actor=actor_of(by),
            case=step.memory.case_id,
            run=step.run_id,
            details={"level": step.level, **details},
        )
    )


def _decided_state(step: Step) -> str:
    return Remainder.objects.filter(step=step).values_list("state", flat=True).first() or ""


@transaction.atomic
def give_back(memory_id: UUID, *, by: User) -> bool:
    """Let the patient download what is left. Return False if that was decided already. Errors: NotNow."""
    step = _lock_memory(memory_id, by)
    if _decided_state(step) == Remainder.State.GIVEN_BACK:
        return False
    _decide(step, Remainder.State.GIVEN_BACK, by)
    _record("remainder.given-back", step, by)
    return True


@transaction.atomic
def keep(memory_id: UUID, *, by: User) -> bool:
    """Keep what is left; end its downloads. Return False if that was decided already. Errors: NotNow."""
    step = _lock_memory(memory_id, by)
    if _decided_state(step) == Remainder.State.KEPT:
        return False
    _decide(step, Remainder.State.KEPT, by)
    _record("remainder.kept", step, by)
    return True


def destroy(memory_id: UUID, *, by: User) -> int:
    """Destroy what is left of a memory, with its words. Return the number of stored objects. Errors: NotNow.

    The transaction only marks them for destruction. After a crash, the vault's sweep destroys them.
    """
    with transaction.atomic():
        step = _lock_memory(memory_id, by)
        rows = Keepsake.objects.select_for_update(of=("self",)).filter(faded_with(step.memory_id))
        # Reading the rows locks them, so that no pass can replace a picture any more.
        keepsake_ids = [row.pk for row in rows.order_by("pk")]
        stored_objects = StoredObject.objects.filter(Q(memory_id=memory_id) | Q(keepsake__in=keepsake_ids))
        rows.filter(gone_at__isnull=True).update(picture=None, thumb=None, gone_at=Now())
        doomed = mark_for_destruction(stored_objects, f"remainder:{step.pk}")
        Memory.objects.filter(pk=memory_id).update(fate=Memory.Fate.ERASED)
        _decide(step, Remainder.State.DESTROYED, by)
        _record("remainder.destroyed", step, by, objects=doomed)
    destroy_doomed(StoredObject.objects.filter(doomed_by=f"remainder:{step.pk}"))
    return doomed


def fetch(keepsake: Keepsake, *, by: User) -> tuple[bytes, str]:
    """Return what is left of a keepsake that was given back, and its media type.

    Errors: NotNow if it was not given back or is destroyed.
    """
    partly_erased = next((left for left in partly_erased_of(by) if keepsake in left.keepsakes), None)
    if partly_erased is None or partly_erased.state != Remainder.State.GIVEN_BACK or keepsake.picture is None:
        raise NotNow(_("This is not given back to you."))
    try:
        data = read(keepsake.picture)
    except (KeyGone, FileNotFoundError) as error:
        raise NotNow(_("Nothing of this memory is left to decide on.")) from error
    except Tampered as error:
        raise NotNow(_("This is damaged and cannot be opened. It can still be destroyed.")) from error
    with transaction.atomic():
        _record("remainder.fetched", partly_erased.step, by)
    return data, keepsake.picture.media_type or "application/octet-stream"
