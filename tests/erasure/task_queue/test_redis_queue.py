"""A job in Redis may call only tasks."""

import pytest
from django.core.exceptions import SuspiciousOperation
from redis import Redis

from erasure.jobs.tasks import advance_run
from erasure.task_queue.redis_queue import TaskJob


def job(name: str) -> TaskJob:
    """A job as a worker reads it. It does not connect to Redis unless it is saved."""
    return TaskJob.create(name, args=("an id",), connection=Redis(port=1))


def test_a_job_calls_the_task_it_names() -> None:
    assert job("erasure.jobs.tasks.advance_run").func == advance_run.call


@pytest.mark.parametrize("name", ["os.getcwd", "erasure.jobs.tasks.enqueue_run"])
def test_a_job_that_names_another_function_is_refused(name: str) -> None:
    with pytest.raises(SuspiciousOperation, match=f"^{name} is not a task$"):
        _ = job(name).func
