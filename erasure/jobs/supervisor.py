"""What a supervisor does in each round. Any number may run at once, because every change is conditional.

It ends expired leases, starts procedures at their time, finishes stopped runs, certifies finished ones, asks
whether somebody is with the patient, reminds doctors of open calls, and wakes workers for runs that are due.
It erases no memory itself.
"""

import logging
from datetime import timedelta

from django.db.models import Q
from django.db.models.functions import Now
from django.utils import timezone
from django_tasks_db.models import DBTaskResult

from erasure.jobs.certifying import certify
from erasure.jobs.tasks import enqueue_run
from erasure.procedures.models import Procedure
from erasure.runs import calls, presence
from erasure.runs.finishing import close_gone_steps, finish
from erasure.runs.lease import free_expired, unleased
from erasure.runs.models import Run
from erasure.runs.planning import CannotStart, start_run
from erasure.runs.run_actions import after

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
    """Close faded steps of paused and stopping runs, finish stopping runs; returns how many finished."""
    finished = 0
    for run in Run.objects.filter(state__in=[Run.State.PAUSED, Run.State.STOPPING]):
        close_gone_steps(run.pk)
        if run.state == Run.State.STOPPING:
            finished += finish(run.pk)
    return finished


def certify_finished() -> int:
    """Certify finished runs; returns how many certificates were issued.

    Not part of `tick`, because the time of a verification grows with the size of the vault.
    """
    finished = Run.objects.filter(state=Run.State.FINISHED, certificate__isnull=True)
    return sum(certify(run.pk) for run in finished)


def start_due() -> int:
    """Start the procedures that are due; returns how many. If one may not start, log why; it stays booked."""
    due = Procedure.objects.filter(
        state=Procedure.State.BOOKED,
        booking__starts_at__lte=Now(),
        booking__ends_at__gt=Now(),
        booking__canceled_at__isnull=True,
    )
    started = 0
    for procedure in due:
        try:
            start_run(procedure.pk, by=None)
            started += 1
        except CannotStart as refusal:
            log.info("procedure %s cannot start: %s", procedure.pk, refusal)
    return started


def forget_old_tasks() -> None:
    """Delete the task engine's rows older than 5 minutes: the rows of the runs say all that they say."""
    before = timezone.now() - timedelta(minutes=5)
    DBTaskResult.objects.filter(Q(finished_at__lt=before) | Q(started_at__lt=before)).delete()


def tick() -> int:
    """Do one quick round; returns how many changes it made (starts, finishes, checks, reminders, wakes).

    Waking is last: everything that needs only the database is done before the task engine may raise
    ServiceUnavailable.
    """
    free_expired()
    changes = start_due() + end_stopped()
    changes += presence.release_absent() + presence.miss_due() + presence.ask_due()
    return changes + calls.remind_due() + wake_due()
