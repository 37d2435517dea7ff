"""The rounds of the supervisor: any number may run at once, because every act is conditional.

It wakes runs that are due, frees leases of the silent, starts procedures at their time, ends what was stopped
and settles what ended, asks whether somebody is with the patient, and calls until somebody answers. It works
on no memory itself.
"""

import logging
from datetime import timedelta

from django.db.models import Q
from django.db.models.functions import Now
from django.utils import timezone
from django_tasks_db.models import DBTaskResult

from erasure.jobs.certifying import certify
from erasure.jobs.tasks import ask_for
from erasure.procedures.models import Procedure
from erasure.runs import calls, presence
from erasure.runs.finishing import close_gone_steps, finish
from erasure.runs.lease import free_expired, unleased
from erasure.runs.models import Run
from erasure.runs.planning import CannotStart, start_run
from erasure.runs.run_actions import after

log = logging.getLogger("lacuna.supervisor")

# A worker that was asked and did not come within these seconds is asked again: the engine may have lost the
# message, or died with it.
ASK_AGAIN = 3.0


def wake_due() -> int:
    """Ask a worker to come for each run that is due and that nobody holds; returns how many.

    Errors: ServiceUnavailable where the engine does not answer; it is asked again after ASK_AGAIN.
    """
    not_asked = Q(woken_at__isnull=True) | Q(woken_at__lt=after(-ASK_AGAIN))
    due = Run.objects.filter(unleased(), not_asked, state=Run.State.RUNNING, next_due_at__lte=Now())
    woken = 0
    for run in due:
        # Conditional, so that of two supervisors one asks.
        if Run.objects.filter(not_asked, pk=run.pk, epoch=run.epoch).update(woken_at=Now()) == 1:
            ask_for(run.pk)
            woken += 1
    return woken


def end_stopped() -> int:
    """Carry paused and stopping runs as far as they go without a worker; returns how many ended."""
    ended = 0
    for run in Run.objects.filter(state__in=[Run.State.PAUSED, Run.State.STOPPING]):
        close_gone_steps(run.pk)
        if run.state == Run.State.STOPPING:
            ended += finish(run.pk)
    return ended


def certify_finished() -> int:
    """Carry finished runs to their certificates; returns how many got one.

    Not a part of `tick`: a verification takes as long as the vault is large.
    """
    finished = Run.objects.filter(state=Run.State.FINISHED, certificate__isnull=True)
    return sum(certify(run.pk) for run in finished)


def start_due() -> int:
    """Start procedures whose time has come; one that may not start stays booked and says why in the log."""
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
    """Drop the engine's rows of slices that ended: they say nothing a run's own rows do not."""
    before = timezone.now() - timedelta(minutes=5)
    DBTaskResult.objects.filter(Q(finished_at__lt=before) | Q(started_at__lt=before)).delete()


def tick() -> int:
    """One quick round; returns how many runs were started, moved or woken.

    Waking comes last: all that the database alone decides is done before the engine may raise
    ServiceUnavailable.
    """
    free_expired()
    moved = start_due() + end_stopped()
    moved += presence.release_absent() + presence.miss_due() + presence.ask_due()
    return moved + calls.remind_due() + wake_due()
