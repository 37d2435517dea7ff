"""User actions on a run that is under way. Each locks the run row first, as every pass does.

So an action and the next pass cannot both win: either the pass committed first, and its frame is shown, or
it never happens and the frame stays the same byte for byte. Repeating an action changes nothing.
"""

from uuid import UUID

from django.db import transaction
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext as _

from clinic.accounts.models import User
from clinic.audit.canonical import Detail
from clinic.calendar.bookings import release
from erasure.runs import calls
from erasure.runs.models import DoctorCall, Run, Step
from erasure.runs.passes import PASS_COUNT
from erasure.runs.run_actions import (
    UNCHANGED,
    ActionResult,
    NotNow,
    check_in_charge,
    check_not_stopping,
    lock,
    record_run_event,
)
from patients.memories.models import Memory

__all__ = ["NotNow", "abort", "call_doctor", "pause", "protect", "resume", "safe_word", "stop_unconsented"]

# These reasons replace the one for which a run is already paused, because they matter more.
OVERRIDING = {Run.Why.SAFE_WORD, Run.Why.ABORT}


def fade_position(run: Run) -> dict[str, Detail]:
    """Return number, committed passes and total passes of the fading memory; {} if none is fading."""
    step = (
        Step.objects.filter(run=run, state=Step.State.FADING, level__lt=PASS_COUNT)
        .select_related("memory")
        .order_by("position")
        .first()
    )
    return {"n": step.memory.number or 0, "level": step.level, "levels": PASS_COUNT} if step else {}


@transaction.atomic
def pause(run_id: UUID, *, by: User | None, why: str = Run.Why.STAFF) -> ActionResult:
    """Pause the run before its next pass. Also allowed while a doctor has taken over.

    Errors: NotNow if the run is finished or being stopped; to begin an abort also if a doctor other than `by`
    has taken over.
    """
    run = lock(run_id)
    check_not_stopping(run)
    if why == Run.Why.ABORT:  # the first of two steps that end the session
        check_in_charge(run, by)
    if run.state == Run.State.PAUSED:
        if run.why == why or why not in OVERRIDING:
            return UNCHANGED
        paused_by, paused_at = run.held_by, run.held_at
    else:
        paused_by, paused_at = by, None
    run.state, run.why, run.held_by = Run.State.PAUSED, why, paused_by or by
    run.held_at = paused_at or timezone.now()
    run.save(update_fields=["state", "why", "held_by", "held_at"])
    return record_run_event(run, "paused", by, {"why": str(why), **fade_position(run)})


@transaction.atomic
def resume(run_id: UUID, *, by: User) -> ActionResult:
    """Resume a paused run.

    Errors: NotNow if the run is stopping or finished, nobody is responsible for it, or a doctor other than
    `by` has taken over.
    """
    run = lock(run_id)
    check_in_charge(run, by)
    if run.state == Run.State.RUNNING:
        return UNCHANGED
    if run.state != Run.State.PAUSED:
        raise NotNow(_("This session is not paused."))
    if run.responsible_id is None and run.taken_over_by_id is None:
        raise NotNow(
            _("Nobody answers for this night. Hand it to a technician, or take over, and then resume.")
        )
    now = timezone.now()
    run.paused_seconds += (now - (run.held_at or now)).total_seconds()
    run.state, run.why, run.held_by, run.held_at = Run.State.RUNNING, "", None, None
    run.save(update_fields=["state", "why", "held_by", "held_at", "paused_seconds"])
    Run.objects.filter(pk=run.pk).update(next_due_at=Now(), attended_at=Now())
    return record_run_event(run, "resumed", by)


@transaction.atomic
def protect(run_id: UUID, memory_id: UUID, *, by: User) -> ActionResult:
    """Protect a memory: what is left of it now stays.

    Errors: NotNow if nothing is left, or a doctor other than `by` has taken over. The patient may always
    protect, even then.
    """
    run = lock(run_id)
    check_not_stopping(run)
    if by.pk != run.procedure.case.patient_id:
        check_in_charge(run, by)
    step = (
        Step.objects.select_for_update(of=("self",))
        .select_related("memory")
        .get(run=run, memory_id=memory_id)
    )
    if step.state == Step.State.SPARED:
        return UNCHANGED
    if step.level == PASS_COUNT or step.state == Step.State.DESTROYED:
        raise NotNow(_("It is too late for this one: nothing of it is left."))
    Memory.objects.filter(pk=memory_id).update(fate=Memory.Fate.PROTECTED)
    step.state, step.spared_because, step.done_at = Step.State.SPARED, "protected", timezone.now()
    step.save(update_fields=["state", "spared_because", "done_at"])
    return record_run_event(
        run,
        "protected",
        by,
        {"n": step.memory.number or 0, "level": step.level, "memory": str(memory_id)},
        action="memory.protected",
    )


@transaction.atomic
def call_doctor(run_id: UUID, *, by: User | None) -> ActionResult:
    """Call the doctor. A run has one open call at a time: calling again while it is open changes nothing."""
    return calls.open_call(lock(run_id), by=by, why=DoctorCall.Why.ASKED)


@transaction.atomic
def safe_word(run_id: UUID, *, by: User | None) -> ActionResult:
    """Pause the run and call the doctor, because the patient or their companion said the safe word."""
    paused = pause(run_id, by=by, why=Run.Why.SAFE_WORD)
    called = calls.open_call(lock(run_id), by=by, why=DoctorCall.Why.SAFE_WORD)
    return called if called.changed else paused


@transaction.atomic
def abort(run_id: UUID, *, by: User | None, reason: str) -> ActionResult:
    """Stop the run for good. Damaged memories stay, encrypted, until the patient decides about them.

    reason: a code of AbortReason (erasure/session/forms.py); the log takes no free text.
    Errors: NotNow if the run is finished, or a doctor other than `by` has taken over.
    """
    run = lock(run_id)
    check_in_charge(run, by)
    if run.state == Run.State.STOPPING:
        return UNCHANGED
    _stop(run, Run.Why.ABORT)
    return record_run_event(run, "aborting", by, {"reason": reason}, action="run.aborted")


def _stop(run: Run, why: str) -> None:
    run.state, run.why, run.lease_until, run.lease_holder = Run.State.STOPPING, why, None, ""
    run.epoch += 1
    run.save(update_fields=["state", "why", "lease_until", "lease_holder", "epoch"])
    release(run.procedure.booking_id)


@transaction.atomic
def stop_unconsented(run_id: UUID, *, by: User | None = None) -> None:
    """Stop a run before its next pass, because consent was withdrawn. Ignores finished and stopping runs."""
    run = lock(run_id, allow_finished=True)
    if run.state not in {Run.State.RUNNING, Run.State.PAUSED}:
        return
    _stop(run, Run.Why.WITHDRAWN)
    record_run_event(run, "withdrawn", by, system="worker")
