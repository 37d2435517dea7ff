"""Copies of a target found off the map: the target's step is put on hold until a doctor decides.

Fingerprints are read from the sealed fields and compared in memory, within one case; none is stored
unencrypted.
"""

from dataclasses import dataclass
from uuid import UUID

from django.db import models, transaction
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from clinic.accounts.models import User
from clinic.audit.record import Act, actor_of, record
from erasure.runs.calls import acknowledge_hold_call, open_call
from erasure.runs.events import NewEvent, emit
from erasure.runs.lease import claimed_run
from erasure.runs.models import DoctorCall, Fence, Hold, Run, Step
from erasure.runs.run_actions import check_in_charge, lock
from patients.keepsakes.duplicates import bits_apart
from patients.keepsakes.models import Keepsake
from patients.memories.models import Memory
from patients.vault.sealed import read_many


class Reason(models.TextChoices):
    """Why a doctor decided as they did. Codes and no free text, because the log keeps them for ever."""

    CLAUSE = "clause", _("the patient signed for it beforehand")
    PATIENT_ASKED = "patient-asked", _("the patient asked for it")
    NOT_A_COPY = "not-a-copy", _("it is not a copy")
    CHILDHOOD = "childhood", _("it belongs to the childhood it was found in")
    DOUBT = "doubt", _("in doubt, nothing is erased")


@dataclass(frozen=True)
class Likeness:
    """A keepsake of a target, and one that stays and looks the same. bits: how many of 64 bits differ."""

    keepsake: Keepsake
    copy: Keepsake
    bits: int


def copies_off_the_map(step: Step) -> list[Likeness]:
    """Compare the step's keepsakes with all that stay: those of protected memories and all off the map."""
    own = list(Keepsake.objects.filter(memory_id=step.memory_id, gone_at__isnull=True))
    others = list(
        Keepsake.objects.filter(memory__case_id=step.memory.case_id, gone_at__isnull=True)
        .exclude(memory_id=step.memory_id)
        .exclude(memory__zone=Memory.Zone.MAP, memory__fate=Memory.Fate.TARGET)
    )
    if not own or not others:
        return []
    unsealed = read_many(own + others)
    return [
        Likeness(keepsake, other, bits)
        for keepsake in own
        for other in others
        if keepsake.pk in unsealed and other.pk in unsealed
        if (bits := bits_apart(unsealed[keepsake.pk], unsealed[other.pk])) is not None
    ]


@transaction.atomic
def hold(fence: Fence, step: Step, found: list[Likeness]) -> bool:
    """Put `step` on hold for every copy in `found` that has no hold yet, and call the doctor.

    Returns False if there is none, or the worker has lost the run.
    """
    if claimed_run(fence).filter(state=Run.State.RUNNING).update(woken_at=None) != 1:
        return False
    copies_on_hold = set(Hold.objects.filter(step=step).values_list("copy_id", flat=True))
    fresh = [item for item in found if item.copy.pk not in copies_on_hold]
    if not fresh:
        return False
    holds = Hold.objects.bulk_create(
        Hold(step=step, keepsake=item.keepsake, copy=item.copy, distance=item.bits) for item in fresh
    )
    Step.objects.filter(pk=step.pk).update(state=Step.State.HELD)
    emit(
        fence.run_id,
        *(
            NewEvent("held", {"n": step.memory.number, "hold": str(item.pk), "copy": str(item.copy_id)})
            for item in holds
        ),
    )
    record(
        *(
            Act(
                "resistance.found",
                f"hold:{item.pk}",
                actor="system:worker",
                case=step.memory.case_id,
                run=fence.run_id,
                details={"step": str(step.pk), "bits": item.distance},
            )
            for item in holds
        )
    )
    run = Run.objects.select_related("procedure__case").get(pk=fence.run_id)
    open_call(run, by=None, why=DoctorCall.Why.HOLD)
    return True


@transaction.atomic
def decide(run_id: UUID, hold_id: UUID, *, extend: bool, reason: str, by: User) -> Hold:
    """Record the doctor's decision on a hold: put the copy on the map, or spare it.

    The step continues once it has no open hold. Errors: Hold.DoesNotExist; ValueError if the hold was decided
    before, the reason is unknown, or the patient did not sign that the map may be extended (they are asleep
    and cannot be asked); NotNow if a doctor other than `by` has taken over.
    """
    run = lock(run_id, allow_finished=True)
    check_in_charge(run, by)
    item = Hold.objects.select_related("step__memory", "step__run__procedure__consent").get(
        pk=hold_id, step__run_id=run_id
    )
    if item.state != Hold.State.OPEN or run.state in {Run.State.STOPPING, Run.State.FINISHED}:
        raise ValueError(_("This has been decided already."))
    if reason not in Reason.values:
        raise ValueError(_("Please choose a reason."))
    if extend and not item.step.run.procedure.consent.may_extend:
        raise ValueError(_("The patient did not agree to this beforehand, so the copy can only be spared."))
    Hold.objects.filter(pk=item.pk, state=Hold.State.OPEN).update(
        state=Hold.State.EXTENDED if extend else Hold.State.SPARED,
        decided_by=by,
        decided_at=timezone.now(),
        reason=reason,
    )
    if not Hold.objects.filter(step=item.step, state=Hold.State.OPEN).exists():
        Step.objects.filter(pk=item.step_id, state=Step.State.HELD).update(
            state=Step.State.FADING if item.step.level else Step.State.WAITING
        )
        Run.objects.filter(pk=run_id).update(next_due_at=Now())
    outcome = "extended" if extend else "spared"
    emit(
        run_id,
        NewEvent("decided", {"n": item.step.memory.number, "hold": str(item.pk), "outcome": outcome}),
    )
    record(
        Act(
            f"resistance.{outcome}",
            f"hold:{item.pk}",
            actor=actor_of(by),
            case=item.step.memory.case_id,
            run=run_id,
            details={"step": str(item.step_id), "reason": reason},
        )
    )
    if not Hold.objects.filter(step__run=run, state=Hold.State.OPEN).exists():
        acknowledge_hold_call(run, by=by)
    item.refresh_from_db()
    return item
