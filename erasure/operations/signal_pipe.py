"""Receive signals of this process through a pipe."""

import os
import select
import signal
from collections.abc import Iterable
from types import FrameType, TracebackType
from typing import Self


class SignalPipe:
    """A context manager in which each watched signal only writes a byte into a pipe.

    This makes waiting for signals with a time limit possible on every system; macOS has no sigtimedwait. Use
    it in the main thread only.
    """

    def __init__(self, watched: Iterable[int]) -> None:
        self.watched = frozenset(watched)

    def __enter__(self) -> Self:
        self._reading, self._writing = os.pipe()
        os.set_blocking(self._reading, False)
        os.set_blocking(self._writing, False)
        self._previous_fd = signal.set_wakeup_fd(self._writing, warn_on_full_buffer=False)
        self._handlers = {number: signal.signal(number, do_nothing) for number in self.watched}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._previous_fd)
        os.close(self._reading)
        os.close(self._writing)

    def wait(self, seconds: float, *others: int) -> set[int]:
        """Return the watched signals received since the last call; wait at most `seconds` for the first.

        It also returns as soon as one of the file descriptors `others` can be read.
        """
        select.select([self._reading, *others], [], [], seconds)
        try:
            return set(os.read(self._reading, 4096)) & self.watched
        except BlockingIOError:
            return set()


def do_nothing(number: int, frame: FrameType | None) -> None:
    """Handle a signal by doing nothing. The byte is written only for signals that have a handler."""
