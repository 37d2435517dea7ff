"""What the worker that Redis wakes says and does where RQ would say too much, or gives up."""

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
    ("message", "error", "heard"),
    [
        ("Worker %s: could not connect to Redis instance: %s retrying in %d seconds...", None, False),
        ("Worker %s: found an unhandled exception, quitting...", NoConnection("refused"), False),
        ("Worker %s: found an unhandled exception, quitting...", ValueError("broken"), True),
        ("Worker %s: Redis connection timeout, quitting...", None, True),
    ],
)
def test_a_house_without_redis_is_not_told_so_by_rq(
    message: str, error: Exception | None, heard: bool
) -> None:
    raised = (type(error), error, None) if error else None
    assert (
        is_no_outage(logging.LogRecord("rq.worker", logging.ERROR, __file__, 1, message, (), raised)) is heard
    )


@pytest.fixture
def signals_as_before() -> Iterator[None]:
    """`work` takes two signals for its process; this one is pytest's."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


class Ending(Worker):
    """A worker without Redis, whose RQ ends by itself, or because it was told to."""

    told_to_stop = False
    turns = 0

    def __init__(self, *_args: Any, **_more: Any) -> None:
        """RQ's own would tell Redis its name."""

    def work(self, *_args: Any, **_more: Any) -> bool:
        Ending.turns += 1
        if self.told_to_stop or self.turns > 1:  # a second turn is one too many, and shall be the last
            self.stopping.set()
        return True


@pytest.mark.usefixtures("signals_as_before")
@pytest.mark.parametrize("told_to_stop", [True, False])
def test_a_worker_that_rq_gave_up_on_says_so_by_its_end(
    told_to_stop: bool, monkeypatch: pytest.MonkeyPatch, settings: LazySettings
) -> None:
    """So that the house starts it anew; one that was told to stop ends well."""
    settings.REDIS_URL = "redis://127.0.0.1:1/0"  # nobody connects to it
    monkeypatch.setattr(redis_worker, "Worker", Ending)
    monkeypatch.setattr(Ending, "stopping", threading.Event())
    monkeypatch.setattr(Ending, "told_to_stop", told_to_stop)
    monkeypatch.setattr(Ending, "turns", 0)
    if told_to_stop:
        work()
    else:
        with pytest.raises(SystemExit, match="1"):
            work()
    assert Ending.turns == 1
