"""Signals read from a pipe: this process sends them to itself."""

import os
import signal
import time

from erasure.operations.signal_pipe import SignalPipe


def test_every_watched_signal_is_told_once_and_a_wait_ends_at_the_first() -> None:
    with SignalPipe({signal.SIGUSR1, signal.SIGUSR2}) as signals:
        os.kill(os.getpid(), signal.SIGUSR1)
        os.kill(os.getpid(), signal.SIGUSR2)
        assert signals.wait(60) == {signal.SIGUSR1, signal.SIGUSR2}
        assert signals.wait(0) == set()


def test_a_wait_for_nothing_ends_after_its_time() -> None:
    with SignalPipe({signal.SIGUSR1}) as signals:
        began = time.monotonic()
        assert signals.wait(0.05) == set()
        assert time.monotonic() - began >= 0.05


def test_afterwards_the_handlers_are_as_before() -> None:
    heard: list[int] = []
    before = signal.signal(signal.SIGUSR1, lambda number, _frame: heard.append(number))
    try:
        with SignalPipe({signal.SIGUSR1}) as signals:
            os.kill(os.getpid(), signal.SIGUSR1)
            assert signals.wait(60) == {signal.SIGUSR1}
        assert heard == []
        os.kill(os.getpid(), signal.SIGUSR1)
        assert heard == [signal.SIGUSR1]
        assert signal.set_wakeup_fd(-1) == -1
    finally:
        signal.signal(signal.SIGUSR1, before)
