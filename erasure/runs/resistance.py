"""Finds copies of a target's keepsakes off the map, and holds the target's step until a doctor decides.

The fingerprints of keepsakes are read from the sealed fields and compared in memory, within one case. None
is stored unencrypted.
"""

from dataclasses import dataclass
from uuid import UUID

from django.db import models, transaction
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from clinic.accounts.models import User
from clinic.audit.record import Act, actor_of, record
from erasure.runs.calls import acknowledge_calls, open_call
from erasure.runs.control import spare
from erasure.runs.events import NewEvent, emit
from erasure.runs.lease import claimed_run
from erasure.runs.models import DoctorCall, Fence, Hold, Run, Step, Trouble
from erasure.runs.passes import Cause, Damage, Damaged
from erasure.runs.run_actions import check_in_charge, check_not_stopping, lock, record_run_event
from patients.keepsakes.duplicates import bits_apart
from patients.keepsakes.models import Keepsake, KeepsakeFields
from patients.memories.models import Memory
from patients.vault.sealed import read_many
from patients.vault.stream import Tampered


class Reason(models.TextChoices):
    """Why a doctor decided as they did. Codes and no free text, because the log keeps them for ever."""

    CLAUSE = "clause", gettext_lazy("the patient signed for it beforehand")
    PATIENT_ASKED = "patient-asked", gettext_lazy("the patient asked for it")
    NOT_A_COPY = "not-a-copy", gettext_lazy("it is not a copy")
    CHILDHOOD = "childhood", gettext_lazy("it belongs to the childhood it was found in")
    KEPT = "kept", gettext_lazy("it belongs to a memory that is kept on purpose")
    DOUBT = "doubt", gettext_lazy("in doubt, nothing is erased")


@dataclass(frozen=True)
class Likeness:
    """A keepsake of a target and a similar one (`copy`) that would stay. bits: how many of 64 bits differ."""

    keepsake: Keepsake
    copy: Keepsake
    bits: int


def copies_off_the_map(step: Step) -> list[Likeness]:
    """Return the copies of the step's keepsakes among all keepsakes that stay.

    These are the keepsakes of protected memories and all off the map. Errors: Damaged if the sealed fields of
    a keepsake cannot be read, unless the doctor has decided to go on without it.
    """
    own = list(Keepsake.objects.filter(memory_id=step.memory_id, gone_at__isnull=True))
    others = list(
        Keepsake.objects.filter(memory__case_id=step.memory.case_id, gone_at__isnull=True)
        .exclude(memory_id=step.memory_id)
        .exclude(memory__zone=Memory.Zone.MAP, memory__fate=Memory.Fate.TARGET)
    )
    if not own or not others:
        return []
    unsealed = _fields_of(step, own, others)
    return [
        Likeness(keepsake, other, bits)
        for keepsake in own
        for other in others
        if keepsake.pk in unsealed and other.pk in unsealed
        if (bits := bits_apart(unsealed[keepsake.pk], unsealed[other.pk])) is not None
    ]


def _fields_of(step: Step, own: list[Keepsake], others: list[Keepsake]) -> dict[UUID, KeepsakeFields]:
    """Return the fields of keepsakes by id, without those whose key is gone. Errors: Damaged."""
    rows = own + others
    try:
        return read_many(rows)
    except Tampered:  # read them one by one, to find out which
        pass
    found: dict[UUID, KeepsakeFields] = {}
    damaged: set[Keepsake | None] = set()
    for row in rows:
        try:
            found |= read_many([row])
        except Tampered:
            damaged.add(row if row in own else None)
    decided = Trouble.objects.filter(step=step, state=Trouble.State.DESTROY)
    known = set(decided.values_list("keepsake_id", flat=True))
    unknown = [row for row in damaged if (row.pk if row else None) not in known]
    if unknown:
        raise Damaged([Damage(row, Cause.ALTERED) for row in unknown])
    return found


@transaction.atomic
def hold(fence: Fence, step: Step, found: list[Likeness]) -> bool:
    """Put `step` on hold for every copy in `found` that has no hold yet, and call the doctor.

    Returns False if there is no such copy, or the worker's claim of the run is no longer valid.
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


def fitting_reasons(item: Hold, *, extend: bool) -> list[Reason]:
    """Return the reasons that fit a decision on a hold, in the order of the page."""
    if extend:
        return [Reason.CLAUSE, Reason.PATIENT_ASKED]
    lies_in = item.copy.memory
    in_childhood = lies_in is not None and lies_in.zone == Memory.Zone.CHILDHOOD
    return [
        Reason.NOT_A_COPY,
        Reason.CHILDHOOD if in_childhood else Reason.KEPT,
        Reason.PATIENT_ASKED,
        Reason.DOUBT,
    ]


def why_not_extend(item: Hold) -> str:
    """Return a sentence that says why the copy may not be put on the map, or "" if it may."""
    if not item.step.run.procedure.consent.may_extend:
        return _("The patient did not agree to this beforehand, so the copy can only be spared.")
    lies_in = item.copy.memory
    if lies_in is not None and lies_in.fate == Memory.Fate.PROTECTED:
        return _("The copy belongs to a memory that is kept on purpose, so it can only be spared.")
    if item.step.state == Step.State.SPARED:
        return _("The memory itself is kept by now, so its copy stays too.")
    return ""


def check_decision(item: Hold, *, extend: bool, reason: str) -> None:
    """Raise ValueError if the decision may not be made, or the reason is unknown or does not fit it."""
    if reason not in Reason.values:
        raise ValueError(_("Please choose a reason."))
    if extend and (why_not := why_not_extend(item)):
        raise ValueError(why_not)
    if reason not in fitting_reasons(item, extend=extend):
        decision = _("Put the copy on the map") if extend else _("Leave the copy where it is")
        raise ValueError(
            _("The reason “%(reason)s” does not fit the decision “%(decision)s”.")
            % {"reason": Reason(reason).label, "decision": decision}
        )


def open_hold(run: Run, hold_id: UUID) -> Hold:
    """Return a hold of `run` that waits for the doctor.

    Errors: Hold.DoesNotExist; ValueError if it was decided before, or the run is finished; NotNow if the run
    is being stopped, because nothing fades any more.
    """
    item = Hold.objects.select_related(
        "step__memory", "step__run__procedure__consent", "keepsake__memory", "copy__memory"
    ).get(pk=hold_id, step__run=run)
    if item.state != Hold.State.OPEN or run.state == Run.State.FINISHED:
        raise ValueError(_("This has been decided already."))
    check_not_stopping(run)
    return item


@transaction.atomic
def decide(run_id: UUID, hold_id: UUID, *, extend: bool, reason: str, by: User) -> Hold:
    """Record the doctor's decision on a hold: put the copy on the map, or spare it.

    With the reason "in doubt", nothing is erased: the memory is kept too, and all its open holds are decided
    with this one. Otherwise the step continues once it has no open hold. Errors: as `open_hold`; ValueError
    if the reason is unknown or does not fit, or the copy may not be put on the map (`why_not_extend`); NotNow
    if a doctor other than `by` has taken over.
    """
    run = lock(run_id, allow_finished=True)
    check_in_charge(run, by)
    item = open_hold(run, hold_id)
    check_decision(item, extend=extend, reason=reason)
    decided = Hold.objects.filter(step=item.step, state=Hold.State.OPEN)
    if reason != Reason.DOUBT:
        decided = decided.filter(pk=item.pk)
    ids = list(decided.order_by("found_at", "pk").values_list("pk", flat=True))
    outcome = "extended" if extend else "spared"
    Hold.objects.filter(pk__in=ids).update(
        state=Hold.State.EXTENDED if extend else Hold.State.SPARED,
        decided_by=by,
        decided_at=timezone.now(),
        reason=reason,
    )
    _record_decisions(item.step, ids, outcome, reason, by)
    if reason == Reason.DOUBT:
        _keep(run, item.step, by)
    if not Hold.objects.filter(step=item.step, state=Hold.State.OPEN).exists():
        Step.objects.filter(pk=item.step_id, state=Step.State.HELD).update(
            state=Step.State.FADING if item.step.level else Step.State.WAITING
        )
        Run.objects.filter(pk=run_id).update(next_due_at=Now())
    if not Hold.objects.filter(step__run=run, state=Hold.State.OPEN).exists():
        acknowledge_calls(run, by=by, why=[DoctorCall.Why.HOLD])
    item.refresh_from_db()
    return item


def _record_decisions(step: Step, ids: list[UUID], outcome: str, reason: str, by: User) -> None:
    emit(
        step.run_id,
        *(NewEvent("decided", {"n": step.memory.number, "hold": str(pk), "outcome": outcome}) for pk in ids),
    )
    record(
        *(
            Act(
                f"resistance.{outcome}",
                f"hold:{pk}",
                actor=actor_of(by),
                case=step.memory.case_id,
                run=step.run_id,
                details={"step": str(step.pk), "reason": reason},
            )
            for pk in ids
        )
    )


def _keep(run: Run, step: Step, by: User) -> None:
    """Keep the memory of a held step, because there is doubt. Does nothing if it is kept already."""
    if not Step.objects.filter(pk=step.pk, state=Step.State.HELD).exists():
        return
    spare(step, Reason.DOUBT, by=by)
    record_run_event(
        run,
        "protected",
        by,
        {"n": step.memory.number or 0, "level": step.level, "memory": str(step.memory_id)},
        action="memory.protected",
    )


def consequence(item: Hold, *, extend: bool, reason: str) -> str:
    """Return what follows from a decision that `check_decision` allows, in one or two sentences."""
    lies_in = item.copy.memory
    place = _("in childhood")
    if lies_in is not None and lies_in.zone != Memory.Zone.CHILDHOOD:
        place = _("in memory %(n)s") % {"n": lies_in.number}
    values = {"n": item.step.memory.number, "place": place}
    if item.step.state == Step.State.SPARED:
        return (
            _("Memory %(n)s is kept by now. It and the copy %(place)s stay; the night is then partial.")
            % values
        )
    if reason == Reason.DOUBT:
        return _("Memory %(n)s and the copy %(place)s stay; the night is then partial.") % values
    if extend:
        sentence = _("Memory %(n)s and the copy %(place)s are erased tonight.")
    elif reason == Reason.NOT_A_COPY:
        sentence = _("Memory %(n)s is erased tonight. What was found %(place)s stays: it is no copy.")
    else:
        sentence = _("Memory %(n)s is erased tonight. The copy %(place)s stays; the night is then partial.")
    sentences = [sentence % values]
    if Hold.objects.filter(step=item.step, state=Hold.State.OPEN).exclude(pk=item.pk).exists():
        sentences.append(_("It still waits until you have decided on its other copies."))
    return " ".join(sentences)
