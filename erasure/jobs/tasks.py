"""The task that the engine runs. It only wakes a worker; the database decides what is due and who does it."""

import logging
from uuid import UUID

from clinic.unavailable import ServiceUnavailable, redis_errors, redis_is_unavailable
from erasure.jobs.worker import advance
from erasure.task_queue.task_api import task

log = logging.getLogger("lacuna.worker")


@task()
def advance_run(run_id: str) -> bool:
    """Work on a run for one time slice, and enqueue the next if there is more. The payload is the id only."""
    more = advance(UUID(run_id))
    if more:
        try:
            enqueue_run(UUID(run_id))
        except ServiceUnavailable as error:  # the supervisor enqueues it again
            log.info("run %s: %s", run_id, error)
    return more


def enqueue_run(run_id: UUID) -> None:
    """Ask the task engine for a worker for the run.

    Errors: ServiceUnavailable if the engine is Redis and does not answer; django.db.Error.
    """
    try:
        advance_run.enqueue(str(run_id))
    except redis_errors() as error:
        raise ServiceUnavailable(redis_is_unavailable(error)) from error
