"""Labelled places in the code at which a test may kill or stop the process.

Crash safety is a claim about every instant between two writes, so the instants have names. In a running
house `reached` costs one comparison: the environment variable is read once, when the module is loaded.
"""

import os
import signal

# "<label>" or "<label>:<n>" for the n-th time it is reached; "STOP" in LACUNA_POINT_SIGNAL freezes instead.
_label, _, _count = os.environ.get("LACUNA_POINT", "").partition(":")
_countdown = iter(range(int(_count or 1) - 1, -1, -1))
_signal = signal.SIGSTOP if os.environ.get("LACUNA_POINT_SIGNAL") == "STOP" else signal.SIGKILL


def hit(label: str) -> None:
    """Send this process the chosen signal if `label` is the chosen place, else do nothing."""
    if label == _label and next(_countdown, -1) == 0:
        os.kill(os.getpid(), _signal)
