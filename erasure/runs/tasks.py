"""What the task engine runs. It only wakes: whether there is work, and whose it is, the database says."""

from uuid import UUID

from django_tasks import task

from erasure.runs.worker import advance


@task()
def advance_run(run_id: str) -> bool:
    """Work one slice on a run, and come again if there is more. The payload is an id, nothing else."""
    more = advance(UUID(run_id))
    if more:
        advance_run.enqueue(run_id)
    return more
