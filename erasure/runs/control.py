"""What people may do to a run while it goes on. Each takes the run row's lock first, as every pass does.

So each of these and the next pass have one winner: either the pass committed before, and is shown so, or
it never happens and the frame is byte for byte as before. Doing what is done already changes nothing.
"""

from uuid import UUID

from django.db import transaction
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext as _

from clinic.accounts.models import User
from clinic.audit.canonical import Detail
from erasure.runs import calls
from erasure.runs.models import DoctorCall, Run, Step
from erasure.runs.passes import GONE
from erasure.runs.run_actions import UNCHANGED, Done, NotNow, lock, only_in_charge, record_run_event
from patients.memories.models import Memory

__all__ = ["NotNow", "abort", "call_doctor", "pause", "protect", "resume", "safe_word", "stop_unconsented"]

# What a run that is paused may come to be paused for: these say more than that somebody pressed pause.
STRONGER = {Run.Why.SAFE_WORD, Run.Why.ABORT}


def stood_at(run: Run) -> dict[str, Detail]:
    """Where the fade stands: number, committed passes and all passes of the memory at work, if any."""
    step = (
        Step.objects.filter(run=run, state=Step.State.FADING, level__lt=GONE)
        .select_related("memory")
        .order_by("position")
        .first()
    )
    return {"n": step.memory.number or 0, "level": step.level, "levels": GONE} if step else {}


@transaction.atomic
def pause(run_id: UUID, *, by: User | None, why: str = Run.Why.STAFF) -> Done:
    """Stop the fade before its next pass. Everybody entitled may, also while a doctor has taken over."""
    run = lock(run_id)
    if run.state == Run.State.STOPPING:
        raise NotNow(_("This session is being stopped."))
    if run.state == Run.State.PAUSED:
        if run.why == why or why not in STRONGER:
            return UNCHANGED
        by_first, since = run.held_by, run.held_at
    else:
        by_first, since = by, None
    run.state, run.why, run.held_by = Run.State.PAUSED, why, by_first or by
    run.held_at = since or timezone.now()
    run.save(update_fields=["state", "why", "held_by", "held_at"])
    return record_run_event(run, "paused", by, {"why": str(why), **stood_at(run)})


@transaction.atomic
def resume(run_id: UUID, *, by: User) -> Done:
    """Go on after a pause. Errors: NotNow while it is stopped, or another than `by` is in charge."""
    run = lock(run_id)
    only_in_charge(run, by)
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
def protect(run_id: UUID, memory_id: UUID, *, by: User) -> Done:
    """Keep a memory, as whole as it still is. Errors: NotNow when it is gone, or another is in charge.

    The patient's own word always counts.
    """
    run = lock(run_id)
    if by.pk != run.procedure.case.patient_id:
        only_in_charge(run, by)
    step = (
        Step.objects.select_for_update(of=("self",))
        .select_related("memory")
        .get(run=run, memory_id=memory_id)
    )
    if step.state == Step.State.SPARED:
        return UNCHANGED
    if step.level == GONE or step.state == Step.State.DESTROYED:
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
def call_doctor(run_id: UUID, *, by: User | None) -> Done:
    """Ask the doctor to come. One open call at a time; calling again while it is open changes nothing."""
    return calls.open_call(lock(run_id), by=by, why=DoctorCall.Why.ASKED)


@transaction.atomic
def safe_word(run_id: UUID, *, by: User | None) -> Done:
    """The patient or their companion said it: everything halts, and the doctor is called."""
    paused = pause(run_id, by=by, why=Run.Why.SAFE_WORD)
    called = calls.open_call(lock(run_id), by=by, why=DoctorCall.Why.SAFE_WORD)
    return called if called.changed else paused


@transaction.atomic
def abort(run_id: UUID, *, by: User | None, reason: str) -> Done:
    """End the run for good. What is gone stays gone; what is damaged stays, sealed, until the patient says.

    reason: a code of AbortReason (erasure/session/forms.py); free words have no place in the log.
    Errors: NotNow when it is over, or another than `by` is in charge.
    """
    run = lock(run_id)
    only_in_charge(run, by)
    if run.state == Run.State.STOPPING:
        return UNCHANGED
    _stop(run, Run.Why.ABORT)
    return record_run_event(run, "aborting", by, {"reason": reason}, action="run.aborted")


def _stop(run: Run, why: str) -> None:
    run.state, run.why, run.lease_until, run.lease_holder = Run.State.STOPPING, why, None, ""
    run.epoch += 1
    run.save(update_fields=["state", "why", "lease_until", "lease_holder", "epoch"])


@transaction.atomic
def stop_unconsented(run_id: UUID, *, by: User | None = None) -> None:
    """Stop a run whose consent is withdrawn, before its next pass. A run that is over stays as it is."""
    run = lock(run_id, over=True)
    if run.state not in {Run.State.RUNNING, Run.State.PAUSED}:
        return
    _stop(run, Run.Why.WITHDRAWN)
    record_run_event(run, "withdrawn", by, system="worker")
