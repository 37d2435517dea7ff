"""Records technical trouble of a run as an event, pauses the run, and opens a doctor call.

A worker reports a keepsake that cannot be read, a storage or key store that does not answer, or a fault of
its own. The supervisor process reports runs that have stalled. Each function is one transaction that locks
the run's row, so a person's action comes either before or after it. A worker whose claim of the run is no
longer valid reports nothing.
"""

from collections.abc import Sequence
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.db.models.functions import Now
from django.utils.translation import gettext as _

from clinic.accounts.models import User
from clinic.audit.canonical import Detail
from erasure.runs.calls import acknowledge_calls, end_call, open_call, unanswered
from erasure.runs.control import go_on, pause, spare
from erasure.runs.lease import claimed_run
from erasure.runs.models import DoctorCall, Event, Fence, Run, Step, Trouble
from erasure.runs.passes import Damage
from erasure.runs.run_actions import (
    ActionResult,
    after,
    check_in_charge,
    check_not_stopping,
    lock,
    record_run_event,
)
from patients.keepsakes.models import Keepsake

# A run counts as stalled so many seconds after its lease has expired. If its worker has died, another has
# claimed it by then.
STALLED_AFTER = 15.0
# Kinds of events that are recorded without a person while a run waits for the storage. After an event of any
# other kind, the run does not go on by itself.
AUTOMATIC_EVENTS = {
    "storage-away",
    "paused",
    "doctor-called",
    "doctor-called-again",
    "doctor-escalated",
}


def open_troubles(run_id: UUID, kind: str) -> "QuerySet[Trouble]":
    """Return the open troubles of one kind of a run."""
    return Trouble.objects.filter(run=run_id, kind=kind, state=Trouble.State.OPEN)


def _lock_claimed(fence: Fence) -> bool:
    """Lock the run's row by writing it; return whether the worker still has the run and it is running."""
    return claimed_run(fence).filter(state=Run.State.RUNNING).update(woken_at=None) == 1


@transaction.atomic
def report_damage(fence: Fence, step: Step, found: Sequence[Damage]) -> bool:
    """Pause the run because keepsakes of `step` cannot be read, and call the doctor.

    Returns False, and does nothing, if the worker's claim of the run is no longer valid, or the keepsakes
    have changed since it read them.
    """
    if not _lock_claimed(fence) or not Step.objects.filter(pk=step.pk, level=step.level).exists():
        return False
    real = [item for item in found if _unchanged_since_read(item.keepsake)]
    if not real:
        return False
    known = set(
        open_troubles(fence.run_id, Trouble.Kind.DAMAGED).filter(step=step).values_list("keepsake", "cause")
    )
    for item in real:
        if (item.keepsake.pk if item.keepsake else None, item.cause) not in known:
            _record_damage(fence, step, item)
    run = lock(fence.run_id)
    data: dict[str, Detail] = {"n": step.memory.number or 0, "level": step.level, "keepsakes": len(real)}
    record_run_event(run, "damaged", None, data, system="worker")
    pause(run.pk, by=None, why=Run.Why.DAMAGED)
    open_call(lock(run.pk), by=None, why=DoctorCall.Why.DAMAGED)
    return True


def _unchanged_since_read(keepsake: Keepsake | None) -> bool:
    if keepsake is None:
        return True
    same = Keepsake.objects.filter(pk=keepsake.pk, level=keepsake.level, gone_at__isnull=True)
    return same.filter(picture=keepsake.picture_id).exists()


def _record_damage(fence: Fence, step: Step, item: Damage) -> None:
    same = open_troubles(fence.run_id, Trouble.Kind.DAMAGED).filter(step=step, keepsake=item.keepsake)
    if not same.update(cause=item.cause):
        Trouble.objects.create(
            run_id=fence.run_id,
            kind=Trouble.Kind.DAMAGED,
            step=step,
            keepsake=item.keepsake,
            cause=item.cause,
            found_at=Now(),
        )


@transaction.atomic
def decide_damaged(run_id: UUID, step_id: UUID, *, destroy: bool, by: User) -> ActionResult:
    """Record the doctor's decision on a memory with damaged keepsakes.

    destroy: the next pass marks the keys and files of the damaged keepsakes for destruction, without fading
    them, under the same conditions as every pass. The rest of the memory fades on. Otherwise the whole memory
    is spared. A run that was paused for damage is resumed once none is left undecided.
    Errors: NotNow if the run is over or stopping, or a doctor other than `by` has taken over; ValueError if
    it was decided before.
    """
    run = lock(run_id)
    check_in_charge(run, by)
    check_not_stopping(run)
    step = Step.objects.select_for_update(of=("self",)).select_related("memory").get(pk=step_id, run=run)
    open_damage = open_troubles(run_id, Trouble.Kind.DAMAGED).filter(step=step)
    keepsakes = open_damage.count()
    if not keepsakes:
        raise ValueError(_("This has been decided already."))
    if destroy:
        open_damage.update(state=Trouble.State.DESTROY, ended_at=Now(), ended_by=by)
    else:
        spare(step, "damaged", by=by)
    outcome = "destroy" if destroy else "spared"
    done = record_run_event(
        run,
        "damage-decided",
        by,
        {"n": step.memory.number or 0, "level": step.level, "keepsakes": keepsakes, "outcome": outcome},
    )
    if open_troubles(run_id, Trouble.Kind.DAMAGED).exists():
        return done
    acknowledge_calls(run, by=by, why=[DoctorCall.Why.DAMAGED])
    if run.state == Run.State.PAUSED and run.why == Run.Why.DAMAGED and _has_somebody_responsible(run):
        go_on(run)
        Run.objects.filter(pk=run.pk).update(attended_at=Now())
        return record_run_event(run, "resumed", by)
    return done


def _has_somebody_responsible(run: Run) -> bool:
    return run.responsible_id is not None or run.taken_over_by_id is not None


def report_failure(run_id: UUID, kind: str, cause: str, fence: Fence | None = None) -> bool:
    """Record that the storage is unavailable (Kind.STORAGE) or the software failed (Kind.FAULT). Open a call.

    A running run is paused. For a run in another state the trouble is recorded once, as long as it stays
    open. cause: name of the exception's class. fence: the claim of the reporting worker; if the run is
    running and the claim is missing or no longer valid, nothing is recorded. Returns whether anything was.
    """
    with transaction.atomic():
        run = lock(run_id, allow_finished=True)
        running = run.state == Run.State.RUNNING
        if running and (fence is None or not _lock_claimed(fence)):
            return False
        known = open_troubles(run_id, kind).exists()
        if known and not running:
            return False
        if not known:
            Trouble.objects.create(run=run, kind=kind, cause=cause[:60], found_at=Now())
        event_kind = "storage-away" if kind == Trouble.Kind.STORAGE else "fault"
        record_run_event(run, event_kind, None, {"cause": _log_safe(cause)}, system="worker")
        if running:
            pause(run_id, by=None, why=kind)
        open_call(lock(run_id, allow_finished=True), by=None, why=kind)
        return True


def _log_safe(name: str) -> str:
    """Reduce the name of a class to what the audit log allows: a-z and 0-9, at most 60 characters."""
    return "".join(letter for letter in name.lower() if letter.isascii() and letter.isalnum())[:60]


def waiting_for_storage() -> "QuerySet[Run]":
    """Return the runs that are paused because the storage does not answer.

    A run that is ending is not among them: its worker notices by itself when the storage answers.
    """
    away = Trouble.objects.filter(kind=Trouble.Kind.STORAGE, state=Trouble.State.OPEN)
    return Run.objects.filter(state=Run.State.PAUSED, pk__in=away.values("run_id"))


@transaction.atomic
def storage_back(run_id: UUID) -> bool:
    """Record that the storage answers again, and end the doctor call. Returns False if it never failed.

    A run that was paused for this is resumed if somebody is responsible for it, nobody has done anything
    since and no other call is open, and a pass was made since it was last resumed in this way. Otherwise it
    stays paused until a person resumes it.
    """
    run = lock(run_id, allow_finished=True)
    if not open_troubles(run_id, Trouble.Kind.STORAGE).update(state=Trouble.State.OVER, ended_at=Now()):
        return False
    paused_for_it = run.state == Run.State.PAUSED and run.why == Run.Why.STORAGE
    goes_on = paused_for_it and _nothing_else_happened(run)
    end_call(run, DoctorCall.Why.STORAGE)
    if goes_on:
        go_on(run)
    record_run_event(run, "storage-back", None, {"goes_on": goes_on, "waits": paused_for_it and not goes_on})
    return True


def _nothing_else_happened(run: Run) -> bool:
    away = Event.objects.filter(run=run, kind="storage-away").order_by("-seq").first()
    if away is None or not _has_somebody_responsible(run):
        return False
    if Event.objects.filter(run=run, seq__gt=away.seq).exclude(kind__in=AUTOMATIC_EVENTS).exists():
        return False
    if unanswered().filter(run=run).exclude(why=DoctorCall.Why.STORAGE).exists():
        return False
    back = Event.objects.filter(run=run, kind="storage-back").order_by("-seq").first()
    if back is None or not back.data["goes_on"]:
        return True
    return Event.objects.filter(run=run, seq__gt=back.seq, kind="pass").exists()


def _stalled() -> "QuerySet[Run]":
    """Return the stalled runs that have not been reported yet."""
    reported = Trouble.objects.filter(kind=Trouble.Kind.STALLED, state=Trouble.State.OPEN)
    to_do = Step.objects.filter(state__in=[Step.State.WAITING, Step.State.FADING])
    return Run.objects.filter(
        state=Run.State.RUNNING,
        next_due_at__lt=after(-settings.LACUNA_LEASE_SECONDS - STALLED_AFTER),
        pk__in=to_do.values("run_id"),
    ).exclude(pk__in=reported.values("run_id"))


def report_stalled() -> int:
    """Record each newly stalled run and open a doctor call for it. Return how many were recorded.

    Such a run is not paused: its worker may only be slow, and then its next pass ends the trouble.
    """
    return sum(_report_stalled(pk) for pk in _stalled().values_list("pk", flat=True))


@transaction.atomic
def _report_stalled(run_id: UUID) -> bool:
    run = lock(run_id, allow_finished=True)
    if not _stalled().filter(pk=run_id).exists():
        return False
    Trouble.objects.create(run=run, kind=Trouble.Kind.STALLED, found_at=Now())
    record_run_event(run, "stalled", None)
    open_call(lock(run_id), by=None, why=DoctorCall.Why.STALLED)
    return True
