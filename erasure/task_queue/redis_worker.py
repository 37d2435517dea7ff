"""The worker that Redis wakes: RQ's own, in one process, with the house's manners.

RQ would fork for each task. A fork shares its parent's connections, open key store and token, and outlives
it: a house that is closed would leave somebody at work.
"""

import logging
import signal
import threading
from types import FrameType
from typing import Any

from django.db import close_old_connections
from redis.exceptions import RedisError
from rq import SimpleWorker
from rq.executions import Execution
from rq.job import Job
from rq.queue import Queue

from clinic.unavailable import redis_is_unavailable
from erasure.task_queue.redis_queue import TaskJob, open_queue

log = logging.getLogger("lacuna.worker")

RETRY = 1.0  # seconds between two attempts to reach Redis
FAILED_TTL = 300  # seconds for which Redis keeps that a task failed


class Worker(SimpleWorker):
    """Works on one task after the other. Of one that failed a single word is written down."""

    max_connection_wait_time = 2.0
    stopping = threading.Event()
    failure = ""

    def request_stop(self, signum: int, frame: FrameType | None) -> None:
        self.stopping.set()
        super().request_stop(signum, frame)

    def execute_job(self, job: Job, queue: Queue) -> None:
        close_old_connections()
        job.failure_ttl = FAILED_TTL
        try:
            super().execute_job(job, queue)
        finally:
            close_old_connections()

    def handle_exception(self, job: Job, *exc_info: Any) -> None:
        kind = exc_info[0]
        self.failure = f"{kind.__module__}.{kind.__qualname__}"
        log.error("task %s failed: %s", job.id, self.failure)

    def handle_job_failure(
        self,
        job: Job,
        queue: Queue,
        started_job_registry: Any = None,
        exc_string: str = "",
        execution: Execution | None = None,
    ) -> None:
        # RQ's own text is a traceback, which would echo into Redis whatever it met.
        super().handle_job_failure(job, queue, started_job_registry, self.failure, execution)


def quiet(record: logging.LogRecord) -> bool:
    """Whether RQ may say it: that Redis is away it would say every two seconds, or with a traceback."""
    error = record.exc_info[1] if record.exc_info else None
    return "could not connect to Redis" not in str(record.msg) and not isinstance(error, RedisError)


def work() -> None:
    """Work until told to stop; where Redis is away, wait for it. Errors: SystemExit where RQ gave up."""
    logging.getLogger("rq.worker").addFilter(quiet)
    said = False
    while not Worker.stopping.is_set():
        # RQ's worker puts its own in their place while it works.
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: Worker.stopping.set())
        queue = open_queue()
        try:  # the worker says its name to Redis when it is made
            worker = Worker([queue], connection=queue.connection, job_class=TaskJob)
            worker.work(logging_level="ERROR")
        except RedisError as error:
            log.log(logging.DEBUG if said else logging.ERROR, "%s", redis_is_unavailable(error))
            said = True
            Worker.stopping.wait(RETRY)
        else:
            said = False
            if not Worker.stopping.is_set():
                raise SystemExit(1)
