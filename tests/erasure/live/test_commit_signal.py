"""Waiting for new events, in a process with more open descriptors than select() supports."""

import fcntl
import resource
import socket
from collections.abc import Iterator

import pytest

from erasure.live.commit_signal import Nudge, readable

HIGH_DESCRIPTOR = 1100  # select() supports descriptors below 1024


@pytest.fixture
def nudge() -> Iterator[Nudge]:
    """A nudge whose receiving socket has a high descriptor, as on a server with a thousand open streams."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard <= HIGH_DESCRIPTOR:
        pytest.skip("this machine does not let a process open so many files")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, HIGH_DESCRIPTOR + 100), hard))
    nudge = Nudge()
    low = nudge.receiving
    nudge.receiving = socket.socket(fileno=fcntl.fcntl(low, fcntl.F_DUPFD_CLOEXEC, HIGH_DESCRIPTOR))
    low.close()
    nudge.receiving.setblocking(False)
    yield nudge
    nudge.close()
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_nudge_ends_a_wait_on_a_high_descriptor(nudge: Nudge) -> None:
    assert nudge.receiving.fileno() >= HIGH_DESCRIPTOR
    assert readable(0, nudge.receiving) is False
    nudge()
    nudge.wait()
    assert readable(0, nudge.receiving) is False
