"""What a supervisor does in each round. Any number may run at once, because every change is conditional.

It reminds doctors of open calls, asks whether somebody is with the patient, ends expired leases, starts
procedures at their time, tells of those that were missed, ends offers of the waitlist that nobody answered,
says of runs that they stand still, and wakes workers for runs that are due. It finishes stopped runs,
certifies finished ones, and sees when a storage that was away answers again. It erases no memory itself.
"""

import logging
import os
from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

from django.db.models import Q, QuerySet
from django.db.models.functions import Now
from django.utils import timezone
from django_tasks_db.models import DBTaskResult

from erasure.jobs.certifying import certify
from erasure.jobs.destroying import advance_destruction, due_destructions, postpone
from erasure.jobs.tasks import enqueue_run
from erasure.procedures.missed import end_missed
from erasure.procedures.models import Procedure
from erasure.runs import calls, presence
from erasure.runs.finishing import close_gone_steps, finish
from erasure.runs.lease import free_expired, unleased
from erasure.runs.models import Run, Trouble
from erasure.runs.planning import CannotStart, start_run
from erasure.runs.run_actions import after
from erasure.runs.trouble import report_failure, report_stalled, storage_back, waiting_for_storage
from patients.vault.configured import key_store
from patients.vault.keys import KeyStoreDamaged
from patients.vault.models import StoredObject
from patients.vault.objects import storage_holds, try_storage
from patients.waitlist.supervisor_work import expire_due

log = logging.getLogger("lacuna.supervisor")

# Seconds after which a worker is asked again if none has claimed the run: the task engine may have lost the
# message, or crashed with it.
ASK_AGAIN = 3.0


def wake_due() -> int:
    """Ask for a worker for each run that is due and has no lease; returns for how many.

    Errors: ServiceUnavailable if the task engine does not answer; it is asked again after ASK_AGAIN.
    """
    not_asked_lately = Q(woken_at__isnull=True) | Q(woken_at__lt=after(-ASK_AGAIN))
    due = Run.objects.filter(unleased(), not_asked_lately, state=Run.State.RUNNING, next_due_at__lte=Now())
    woken = 0
    for run in due:
        # Conditional, so that only one of two supervisors asks.
        if Run.objects.filter(not_asked_lately, pk=run.pk, epoch=run.epoch).update(woken_at=Now()) == 1:
            enqueue_run(run.pk)
            woken += 1
    return woken


def end_stopped() -> int:
    """Close faded steps of paused and stopping runs, finish stopping runs; returns how many finished.

    Not part of `tick`, because the storage may take long to answer. Errors: as `_each`.
    """
    return _each(Run.objects.filter(state__in=[Run.State.PAUSED, Run.State.STOPPING]), _end_stopped)


def _end_stopped(run: Run) -> bool:
    close_gone_steps(run.pk)
    if run.state != Run.State.STOPPING:
        return False
    finished = finish(run.pk)
    storage_back(run.pk)
    return finished


def _each(runs: QuerySet[Run], work: Callable[[Run], bool]) -> int:
    """Call `work` for each run; return how often it returned True.

    A run whose storage is away is said so, and does not hold up the others. Errors: the first OSError or
    KeyStoreDamaged, once all runs had their turn.
    """
    done, errors = 0, []
    for run in runs:
        try:
            done += work(run)
        except (OSError, KeyStoreDamaged) as error:
            report_failure(run.pk, Trouble.Kind.STORAGE, type(error).__name__)
            errors.append(error)
    if errors:
        raise errors[0]
    return done


def recover() -> int:
    """Say of runs that waited for the storage that it answers again; returns of how many.

    Not part of `tick`, as `end_stopped`. Errors: OSError and KeyStoreDamaged while it does not.
    """
    waiting = list(waiting_for_storage().values_list("pk", "procedure__case_id"))
    if not waiting or not try_storage(os.urandom(16).hex()):
        return 0
    # Asks the key store, too. What of these keys exists does not matter.
    key_store().get_many({case for _run, case in waiting})
    return sum(
        storage_back(run) for run, case in waiting if storage_holds(StoredObject.objects.filter(case=case))
    )


def certify_finished() -> int:
    """Certify finished runs; returns how many certificates were issued.

    Not part of `tick`, because the time of a verification grows with the size of the vault. Errors: as
    `_each`.
    """
    return _each(Run.objects.filter(state=Run.State.FINISHED, certificate__isnull=True), _certify)


def _certify(run: Run) -> bool:
    issued = certify(run.pk)
    if issued:
        storage_back(run.pk)
    return issued


def destroy_due() -> int:
    """Work on the destructions that patients ordered and that are due; returns how many certificates came.

    Not part of `tick`, as `certify_finished`. One whose storage is away waits, and does not hold up the
    others. Errors: the first OSError or KeyStoreDamaged, once all had their turn.
    """
    certificates, errors = 0, []
    for destruction in due_destructions():
        try:
            certificates += advance_destruction(destruction.pk)
        except (OSError, KeyStoreDamaged) as error:
            postpone(destruction.pk)
            errors.append(error)
    if errors:
        raise errors[0]
    return certificates


# Why each due procedure may not start, as this process has logged it. Rounds come every fraction of a second,
# so it is said once for each cause.
_logged_refusals: dict[UUID, str] = {}


def start_due() -> int:
    """Start the procedures that are due; returns how many. If one may not start, log why; it stays booked.

    The same reason is logged once. The day board and the start page show it as long as it holds.
    """
    due = Procedure.objects.filter(
        state=Procedure.State.BOOKED,
        booking__starts_at__lte=Now(),
        booking__ends_at__gt=Now(),
        booking__canceled_at__isnull=True,
    )
    started = 0
    refusals: dict[UUID, str] = {}
    for procedure in due:
        try:
            start_run(procedure.pk, by=None)
            started += 1
        except CannotStart as refusal:
            refusals[procedure.pk] = str(refusal)
            if _logged_refusals.get(procedure.pk) != str(refusal):
                log.warning("procedure %s cannot start: %s", procedure.pk, refusal)
    _logged_refusals.clear()
    _logged_refusals.update(refusals)
    return started


def forget_old_tasks() -> None:
    """Delete the task engine's rows older than 5 minutes: the rows of the runs say all that they say."""
    before = timezone.now() - timedelta(minutes=5)
    DBTaskResult.objects.filter(Q(finished_at__lt=before) | Q(started_at__lt=before)).delete()


# What `tick` does, in this order. People come first: calls and presence wait for nothing else. Waking is
# last: it alone needs the task engine.
PARTS: list[Callable[[], int]] = [
    calls.remind_due,
    presence.release_absent,
    presence.miss_due,
    presence.ask_due,
    free_expired,
    start_due,
    end_missed,
    expire_due,
    report_stalled,
    wake_due,
]


def register_part(part: Callable[[], int]) -> None:
    """Let `tick` call a function of a higher package too, before it wakes workers. See apps.py.

    part: does what is due and returns the number of changes; it must be safe in any number of supervisors.
    """
    if part not in PARTS:
        PARTS.insert(PARTS.index(wake_due), part)


def tick() -> int:
    """Do one quick round; returns how many changes it made (calls, checks, starts, wakes).

    It needs only the database and the task engine, never the storage. A part that fails does not keep the
    others from being done. Errors: that of the first part that failed, once all are done.
    """
    changes, errors = 0, []
    for part in PARTS:
        try:
            changes += part()
        except Exception as error:
            errors.append(error)
    if errors:
        raise errors[0]
    return changes
