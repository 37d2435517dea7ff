"""What people may do to a run while it goes on. Each takes the run row's lock first, as every pass does.

So each of these and the next pass have one winner: either the pass committed before, and is shown so, or
it never happens and the frame is byte for byte as before.
"""

from uuid import UUID

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from clinic.audit.canonical import Detail
from clinic.audit.record import Act, actor_of, record
from clinic.people.models import User
from erasure.runs.events import News, emit
from erasure.runs.models import DoctorCall, Run, Step
from erasure.runs.passes import GONE
from patients.memories.models import Memory


class NotNow(Exception):
    """The run is in a state in which this cannot be done; the message says so in plain words."""


def lock(run_id: UUID) -> Run:
    """Take the run row's lock. Call inside a transaction. Errors: NotNow when the run is over."""
    run = Run.objects.select_for_update().select_related("procedure").get(pk=run_id)
    if run.state == Run.State.FINISHED:
        raise NotNow(_("This session is over."))
    return run


def _tell(run: Run, kind: str, by: User | None, action: str = "", **data: Detail) -> None:
    """Event and log entry of one control action; the last thing in its transaction."""
    who = {"by": str(by.pk)} if by else {}
    emit(run.pk, News(kind, {**who, **data}))
    record(
        Act(
            action or f"run.{kind}",
            f"run:{run.pk}",
            actor=actor_of(by),
            case=run.procedure.case_id,
            run=run.pk,
            details=data,
        )
    )


@transaction.atomic
def pause(run_id: UUID, *, by: User | None, why: str = Run.Why.STAFF) -> Run:
    """Stop the fade before its next pass. Pausing what is paused changes nothing."""
    run = lock(run_id)
    if run.state == Run.State.STOPPING:
        raise NotNow(_("This session is being stopped."))
    if run.state == Run.State.PAUSED and run.why == why:
        return run
    run.state, run.why, run.held_by = Run.State.PAUSED, why, by
    run.held_at = run.held_at or timezone.now()
    run.save(update_fields=["state", "why", "held_by", "held_at"])
    _tell(run, "paused", by, why=str(why))
    return run


@transaction.atomic
def resume(run_id: UUID, *, by: User) -> Run:
    """Go on after a pause. Errors: NotNow unless paused."""
    run = lock(run_id)
    if run.state != Run.State.PAUSED:
        raise NotNow(_("This session is not paused."))
    now = timezone.now()
    run.paused_seconds += (now - (run.held_at or now)).total_seconds()
    run.state, run.why, run.held_by, run.held_at, run.next_due_at = Run.State.RUNNING, "", None, None, now
    run.save(update_fields=["state", "why", "held_by", "held_at", "next_due_at", "paused_seconds"])
    _tell(run, "resumed", by)
    return run


@transaction.atomic
def protect(run_id: UUID, memory_id: UUID, *, by: User) -> Step:
    """Keep a memory, as whole as it still is. Errors: NotNow when it is gone or kept already."""
    run = lock(run_id)
    step = Step.objects.select_for_update().select_related("memory").get(run=run, memory_id=memory_id)
    if step.state == Step.State.SPARED:
        return step
    if step.level == GONE or step.state == Step.State.DESTROYED:
        raise NotNow(_("It is too late for this one: nothing of it is left."))
    Memory.objects.filter(pk=memory_id).update(fate=Memory.Fate.PROTECTED)
    step.state, step.spared_because, step.done_at = Step.State.SPARED, "protected", timezone.now()
    step.save(update_fields=["state", "spared_because", "done_at"])
    _tell(
        run,
        "protected",
        by,
        "memory.protected",
        n=step.memory.number or 0,
        level=step.level,
        memory=str(memory_id),
    )
    return step


@transaction.atomic
def call_doctor(run_id: UUID, *, by: User | None) -> DoctorCall:
    """Ask the doctor to come. One open call at a time; calling again while it is open changes nothing."""
    run = lock(run_id)
    call = DoctorCall.objects.filter(run=run, acknowledged_at__isnull=True).first()
    if call is None:
        call = DoctorCall.objects.create(run=run, called_by=by)
        _tell(run, "doctor-called", by)
    return call


@transaction.atomic
def acknowledge(run_id: UUID, *, by: User) -> DoctorCall:
    """The doctor answers a call. Errors: NotNow when nobody called."""
    run = lock(run_id)
    call = DoctorCall.objects.filter(run=run, acknowledged_at__isnull=True).first()
    if call is None:
        raise NotNow(_("Nobody is calling at the moment."))
    call.acknowledged_by, call.acknowledged_at = by, timezone.now()
    call.save(update_fields=["acknowledged_by", "acknowledged_at"])
    _tell(run, "doctor-acknowledged", by)
    return call


@transaction.atomic
def safe_word(run_id: UUID, *, by: User | None) -> Run:
    """The patient or their companion said it: everything halts, and the doctor is called."""
    run = pause(run_id, by=by, why=Run.Why.SAFE_WORD)
    call_doctor(run_id, by=by)
    return run


@transaction.atomic
def abort(run_id: UUID, *, by: User | None, reason: str) -> Run:
    """End the run for good. What is gone stays gone; what is damaged stays, sealed, until the patient says.

    reason: a code of AbortReason (erasure/session/forms.py); free words have no place in the log.
    """
    run = lock(run_id)
    if run.state != Run.State.STOPPING:
        _stop(run, Run.Why.ABORT)
        _tell(run, "aborting", by, "run.aborted", reason=reason)
    return run


def _stop(run: Run, why: str) -> None:
    run.state, run.why, run.lease_until, run.lease_holder = Run.State.STOPPING, why, None, ""
    run.epoch += 1
    run.save(update_fields=["state", "why", "lease_until", "lease_holder", "epoch"])


@transaction.atomic
def stop_unconsented(run_id: UUID, *, by: User | None = None) -> None:
    """Stop a run whose consent is withdrawn, before its next pass. A run that is over stays as it is."""
    run = Run.objects.select_for_update().select_related("procedure").get(pk=run_id)
    if run.state not in {Run.State.RUNNING, Run.State.PAUSED}:
        return
    _stop(run, Run.Why.WITHDRAWN)
    _tell(run, "withdrawn", by)
