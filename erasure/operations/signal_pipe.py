"""Signals of this process, read from a pipe."""

import os
import select
import signal
from collections.abc import Iterable
from types import FrameType, TracebackType
from typing import Self


class SignalPipe:
    """While it is open, each watched signal is a byte in a pipe and does nothing else.

    A wait for signals can so have a time limit on every system: macOS has no sigtimedwait. Main thread only.
    """

    def __init__(self, watched: Iterable[int]) -> None:
        self.watched = frozenset(watched)

    def __enter__(self) -> Self:
        self._reading, self._writing = os.pipe()
        os.set_blocking(self._reading, False)
        os.set_blocking(self._writing, False)
        self._former = signal.set_wakeup_fd(self._writing, warn_on_full_buffer=False)
        self._handlers = {number: signal.signal(number, do_nothing) for number in self.watched}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._former)
        os.close(self._reading)
        os.close(self._writing)

    def wait(self, seconds: float) -> set[int]:
        """The watched signals that have come since the last call; waits at most `seconds` for the first."""
        select.select([self._reading], [], [], seconds)
        try:
            return set(os.read(self._reading, 4096)) & self.watched
        except BlockingIOError:
            return set()


def do_nothing(number: int, frame: FrameType | None) -> None:
    """A handler, because the byte is written for signals that have one."""
