"""The worker for tasks from Redis: RQ's SimpleWorker, in one process.

RQ's default worker forks for each task. A fork shares its parent's connections, open key store and token, and
it outlives the parent: it would still be at work after the server was stopped.
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
FAILED_TTL = 300  # seconds for which Redis keeps a failed job


class Worker(SimpleWorker):
    """Runs one task after the other. If one fails, only the name of the exception class is recorded."""

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
        # RQ would store a traceback in Redis, which may hold anything: record the class name instead.
        super().handle_job_failure(job, queue, started_job_registry, self.failure, execution)


def is_no_outage(record: logging.LogRecord) -> bool:
    """Logging filter that drops RQ's records about an unreachable Redis.

    RQ logs those every two seconds, or with a traceback; `work` logs an outage once.
    """
    error = record.exc_info[1] if record.exc_info else None
    return "could not connect to Redis" not in str(record.msg) and not isinstance(error, RedisError)


def work() -> None:
    """Work until a signal stops it; wait while Redis is unreachable. Errors: SystemExit if RQ gave up."""
    logging.getLogger("rq.worker").addFilter(is_no_outage)
    outage_logged = False
    while not Worker.stopping.is_set():
        # RQ's worker replaces these handlers while it works.
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: Worker.stopping.set())
        queue = open_queue()
        try:  # creating the worker registers it in Redis, too
            worker = Worker([queue], connection=queue.connection, job_class=TaskJob)
            worker.work(logging_level="ERROR")
        except RedisError as error:
            log.log(logging.DEBUG if outage_logged else logging.ERROR, "%s", redis_is_unavailable(error))
            outage_logged = True
            Worker.stopping.wait(RETRY)
        else:
            outage_logged = False
            if not Worker.stopping.is_set():
                raise SystemExit(1)
