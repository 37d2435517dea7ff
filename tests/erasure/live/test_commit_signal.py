"""Waiting for news, in a process that holds more descriptors than select() can count."""

import fcntl
import resource
import socket
from collections.abc import Iterator

import pytest

from erasure.live.commit_signal import Nudge, readable

BEYOND = 1100  # select() ends at 1024


@pytest.fixture
def nudge() -> Iterator[Nudge]:
    """A nudge whose receiving end has a high number, as in a house with a thousand watchers."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard <= BEYOND:
        pytest.skip("this machine gives a process no more than that")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, BEYOND + 100), hard))
    made = Nudge()
    low, made.receiving = (
        made.receiving,
        socket.socket(fileno=fcntl.fcntl(made.receiving, fcntl.F_DUPFD_CLOEXEC, BEYOND)),
    )
    low.close()
    made.receiving.setblocking(False)
    yield made
    made.close()
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_nudge_ends_a_wait_whatever_its_number(nudge: Nudge) -> None:
    assert nudge.receiving.fileno() >= BEYOND
    assert readable(0, nudge.receiving) is False
    nudge()
    nudge.wait()
    assert readable(0, nudge.receiving) is False
