"""Labelled points in the code at which a test can kill or freeze the process.

Crash safety has to hold at every moment between two writes, so tests need a label for each of these moments.
In production `hit` costs one comparison: the environment variable is read once, when the module is imported.
"""

import os
import signal
import threading

# LACUNA_POINT is "<label>", or "<label>:<n>" for the n-th time that the point is reached. The process is
# killed, or frozen if LACUNA_POINT_SIGNAL is "STOP".
_label, _, _count = os.environ.get("LACUNA_POINT", "").partition(":")
_countdown = iter(range(int(_count or 1) - 1, -1, -1))
_signal = signal.SIGSTOP if os.environ.get("LACUNA_POINT_SIGNAL") == "STOP" else signal.SIGKILL


def hit(label: str) -> None:
    """Send the signal to this process if `label` is that of LACUNA_POINT; else do nothing.

    It is sent to the calling thread: one sent to the process may stop another thread first, and this one
    would go on for a moment.
    """
    if label == _label and next(_countdown, -1) == 0:
        signal.pthread_kill(threading.get_ident(), _signal)
