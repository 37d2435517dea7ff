"""Signals are read from a pipe. This process sends them to itself."""

import os
import signal
import time

from erasure.operations.signal_pipe import SignalPipe


def test_wait_returns_each_watched_signal_once() -> None:
    with SignalPipe({signal.SIGUSR1, signal.SIGUSR2}) as signals:
        os.kill(os.getpid(), signal.SIGUSR1)
        os.kill(os.getpid(), signal.SIGUSR2)
        assert signals.wait(60) == {signal.SIGUSR1, signal.SIGUSR2}
        assert signals.wait(0) == set()


def test_a_wait_without_a_signal_ends_after_its_timeout() -> None:
    with SignalPipe({signal.SIGUSR1}) as signals:
        began = time.monotonic()
        assert signals.wait(0.05) == set()
        assert time.monotonic() - began >= 0.05


def test_the_signal_handlers_are_restored() -> None:
    received: list[int] = []
    before = signal.signal(signal.SIGUSR1, lambda number, _frame: received.append(number))
    try:
        with SignalPipe({signal.SIGUSR1}) as signals:
            os.kill(os.getpid(), signal.SIGUSR1)
            assert signals.wait(60) == {signal.SIGUSR1}
        assert received == []
        os.kill(os.getpid(), signal.SIGUSR1)
        assert received == [signal.SIGUSR1]
        assert signal.set_wakeup_fd(-1) == -1
    finally:
        signal.signal(signal.SIGUSR1, before)
