"""Work on one run for a time slice: claim it, do what is due, release it."""

import logging
import time
from datetime import timedelta
from uuid import UUID

from django.conf import settings
from django.db import Error
from django.db.models.functions import Now

from clinic.failpoints import hit
from erasure.jobs.certifying import certify
from erasure.runs.control import stop_unconsented
from erasure.runs.finishing import close_step, finish
from erasure.runs.lease import claim, heartbeat, release
from erasure.runs.models import Fence, Run, Step, Trouble
from erasure.runs.passes import PASS_COUNT, Damaged, Refused, make_pass
from erasure.runs.resistance import copies_off_the_map, hold
from erasure.runs.trouble import report_damage, report_failure, storage_back
from patients.consent.models import Signature
from patients.vault.keys import KeyStoreDamaged

log = logging.getLogger("lacuna.worker")


def next_step(run_id: UUID) -> Step | None:
    """Return the step to work on: the newest memory that is waiting or fading, or None."""
    return (
        Step.objects.filter(run_id=run_id, state__in=[Step.State.FADING, Step.State.WAITING])
        .select_related("memory", "run__procedure")
        .order_by("position")
        .first()
    )


def advance(run_id: UUID, *, holder: str = "") -> bool:
    """Work on a run for one time slice. Returns True if there is more to do at once.

    Never sleeps: if the next pass is not due yet, the run is released, and the supervisor wakes a worker
    when it is.
    Errors: whatever the vault or the code raises, after it was said in the session and the run was paused;
    django.db.Error at once, because nothing can be written then.
    """
    fence = claim(run_id, holder)
    if fence is None:
        return False
    hit("claimed")
    started = last_heartbeat = time.monotonic()
    try:
        while time.monotonic() - started < settings.LACUNA_SLICE_SECONDS:
            if time.monotonic() - last_heartbeat > settings.LACUNA_LEASE_SECONDS / 3:
                if not heartbeat(fence):
                    return False
                last_heartbeat = time.monotonic()
            if not take_turn(fence):
                return False
        return True
    except Error:
        raise
    except (OSError, KeyStoreDamaged) as error:
        report_failure(run_id, Trouble.Kind.STORAGE, type(error).__name__, fence)
        raise
    except Exception as error:
        report_failure(run_id, Trouble.Kind.FAULT, type(error).__name__, fence)
        raise
    finally:
        release(fence)


def take_turn(fence: Fence) -> bool:
    """Do the one thing that is due for the run. Returns False if nothing is due now."""
    run = Run.objects.select_related("procedure").annotate(now=Now()).get(pk=fence.run_id)
    if run.epoch != fence.epoch or run.state != Run.State.RUNNING or run.next_due_at > run.now:
        return False
    step = next_step(run.pk)
    if step is None:
        return finish_if_over(run)
    if step.level == PASS_COUNT:
        close_step(step)
        return True
    interval = timedelta(seconds=run.procedure.pace_seconds / PASS_COUNT)
    # Counted from when this pass was due, so that the run keeps its pace; at most one late pass is caught up.
    due = max(run.next_due_at, run.now - interval) + interval
    try:
        if step.level == 0 and hold(fence, step, copies_off_the_map(step)):
            return True
        make_pass(fence, step, due=due)
    except Damaged as damage:
        log.warning("run %s: memory %s cannot be read, %s", run.pk, step.memory.number, damage)
        # Otherwise the run is no longer this worker's, or the next turn reads other rows.
        return not report_damage(fence, step, damage.found) and may_continue(fence)
    except Refused as refusal:
        # The next turn reads the rows again and finds the cause: another epoch, a pause, a protected memory.
        log.info("run %s: pass refused, %s", run.pk, refusal)
        return may_continue(fence)
    if step.level + 1 == PASS_COUNT:
        close_step(Step.objects.select_related("memory").get(pk=step.pk))
    return True


def may_continue(fence: Fence) -> bool:
    """Whether to go on after a refused pass: the run is still ours and running.

    Stops the run first if consent was withdrawn.
    """
    if not Signature.objects.in_force().filter(procedures__run=fence.run_id).exists():
        stop_unconsented(fence.run_id)
    return Run.objects.filter(pk=fence.run_id, epoch=fence.epoch, state=Run.State.RUNNING).exists()


def finish_if_over(run: Run) -> bool:
    """Finish and certify a run without a step to work on; always returns False.

    If steps are held, `finish` does nothing: the run waits for the doctor.
    """
    if finish(run.pk) and certify(run.pk):
        storage_back(run.pk)
    return False
