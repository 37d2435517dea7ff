"""The worker that Redis wakes: which messages of RQ it drops, and what happens when RQ gives up."""

import logging
import signal
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import LazySettings
from redis.exceptions import ConnectionError as NoConnection

from erasure.task_queue import redis_worker
from erasure.task_queue.redis_worker import Worker, is_no_outage, work


@pytest.mark.parametrize(
    ("message", "error", "is_logged"),
    [
        ("Worker %s: could not connect to Redis instance: %s retrying in %d seconds...", None, False),
        ("Worker %s: found an unhandled exception, quitting...", NoConnection("refused"), False),
        ("Worker %s: found an unhandled exception, quitting...", ValueError("broken"), True),
        ("Worker %s: Redis connection timeout, quitting...", None, True),
    ],
)
def test_messages_of_rq_about_a_missing_redis_are_dropped(
    message: str, error: Exception | None, is_logged: bool
) -> None:
    raised = (type(error), error, None) if error else None
    assert (
        is_no_outage(logging.LogRecord("rq.worker", logging.ERROR, __file__, 1, message, (), raised))
        is is_logged
    )


@pytest.fixture
def restore_signals() -> Iterator[None]:
    """Restore the signal handlers that `work` replaces, because this is pytest's process."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


class WorkerThatEnds(Worker):
    """A worker without Redis. Its RQ part ends by itself or, if `told_to_stop`, because it was told to."""

    told_to_stop = False
    turns = 0

    def __init__(self, *_args: Any, **_more: Any) -> None:
        """Do not call RQ's, which would write the worker's name to Redis."""

    def work(self, *_args: Any, **_more: Any) -> bool:
        WorkerThatEnds.turns += 1
        if self.told_to_stop or self.turns > 1:  # a second turn is an error; the test asserts one
            self.stopping.set()
        return True


@pytest.mark.usefixtures("restore_signals")
@pytest.mark.parametrize("told_to_stop", [True, False])
def test_the_process_exits_with_1_if_rq_gives_up(
    told_to_stop: bool, monkeypatch: pytest.MonkeyPatch, settings: LazySettings
) -> None:
    """Then the parent process starts it again. A worker that was told to stop exits normally."""
    settings.REDIS_URL = "redis://127.0.0.1:1/0"  # nobody connects to it
    monkeypatch.setattr(redis_worker, "Worker", WorkerThatEnds)
    monkeypatch.setattr(WorkerThatEnds, "stopping", threading.Event())
    monkeypatch.setattr(WorkerThatEnds, "told_to_stop", told_to_stop)
    monkeypatch.setattr(WorkerThatEnds, "turns", 0)
    if told_to_stop:
        work()
    else:
        with pytest.raises(SystemExit, match="1"):
            work()
    assert WorkerThatEnds.turns == 1
