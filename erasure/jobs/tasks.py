"""What the task engine runs. It only wakes: whether there is work, and whose it is, the database says."""

import logging
from uuid import UUID

from clinic.unavailable import ServiceUnavailable, redis_errors, redis_is_unavailable
from erasure.jobs.worker import advance
from erasure.task_queue.task_api import task

log = logging.getLogger("lacuna.worker")


@task()
def advance_run(run_id: str) -> bool:
    """Work one slice on a run, and come again if there is more. The payload is an id, nothing else."""
    more = advance(UUID(run_id))
    if more:
        try:
            ask_for(UUID(run_id))
        except ServiceUnavailable as away:  # the supervisor asks again
            log.info("run %s: %s", run_id, away)
    return more


def ask_for(run_id: UUID) -> None:
    """Ask the task engine for a worker.

    Errors: ServiceUnavailable where the engine is Redis and does not answer; django.db.Error.
    """
    try:
        advance_run.enqueue(str(run_id))
    except redis_errors() as error:
        raise ServiceUnavailable(redis_is_unavailable(error)) from error
