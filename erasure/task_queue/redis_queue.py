"""Django's Tasks API on RQ: a task becomes an RQ job with the same name and arguments.

It covers only what Lacuna uses: a task is put into the one queue and is called once. Results, priorities and
scheduling are not needed, because the database decides what is due and which worker does it.
"""

from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

from django.conf import settings
from django.core.exceptions import SuspiciousOperation
from redis import Redis
from rq import Queue
from rq.job import Job

from erasure.task_queue.task_api import BaseTaskBackend, Task, TaskResult, TaskResultStatus

# A time slice is short, but the last one of a run waits for the verifier; RQ's default of 180 seconds would
# kill it.
JOB_TIMEOUT = 3600  # seconds


class TaskJob(Job):
    """An RQ job that can only call a task. A plain RQ job calls any function that is named in Redis."""

    @property
    def func(self) -> Callable[..., Any]:
        task = super().func
        if not isinstance(task, Task):
            raise SuspiciousOperation(f"{self.func_name} is not a task")
        return task.call


class RedisBackend(BaseTaskBackend):
    """Puts tasks into the queue in Redis. `enqueue` raises RedisError if Redis does not answer."""

    def enqueue(self, task: Any, args: Any, kwargs: Any) -> TaskResult:
        self.validate_task(task)
        job = open_queue().enqueue_call(task.module_path, args=args, kwargs=kwargs, job_id=str(uuid4()))
        return TaskResult(
            task=task,
            id=job.id,
            status=TaskResultStatus.READY,
            enqueued_at=job.enqueued_at,
            started_at=None,
            finished_at=None,
            last_attempted_at=None,
            args=list(args),
            kwargs=kwargs,
            backend=self.alias,
            errors=[],
            worker_ids=[],
        )


def open_queue() -> Queue:
    """Return the queue at LACUNA_REDIS, with its own connection, which is opened on first use."""
    return Queue(
        "default",
        connection=Redis.from_url(settings.REDIS_URL),
        default_timeout=JOB_TIMEOUT,
        job_class=TaskJob,
    )


def every_job() -> Iterator[Job]:
    """Yield every job that Redis keeps: waiting, started, finished or failed. Errors: RedisError."""
    queue = open_queue()
    registries = (queue.started_job_registry, queue.finished_job_registry, queue.failed_job_registry)
    ids = {*queue.job_ids, *(name for registry in registries for name in registry.get_job_ids(cleanup=False))}
    for job in TaskJob.fetch_many(sorted(ids), connection=queue.connection):
        if job is not None:
            yield job
