"""The switches that are put around the guards while tests run. Each prepared tree has a copy of this file.

Each switch gets the number of its guard. It reports, once per test, that the test reaches the point where
the guard decides: removing the guard can change nothing before that point. The switch of the one guard that
is removed behaves as if the guard were not there. A state file beside this one has the number of that guard,
for this process and for the processes that a test starts. Reports go into a pipe, because a confined process
may not write to files.
"""

import os
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
STATE = HERE / "guards-state"
PIPE = HERE / "guards-pipe"


class State:
    """The number of the running test and of the removed guard; -1 for none."""

    test = -1
    removed = -1
    pipe = -1
    process = -1
    seen: set[int] = set()


class Always:
    """Replaces one end of a chained comparison: every comparison with it is true."""

    def __lt__(self, other: object) -> bool:
        return True

    __le__ = __gt__ = __ge__ = __lt__


def begin(test: int, removed: int) -> None:
    """Set the running test and the removed guard.

    Called by the process that runs the test. A process that the test starts reads the state file instead.
    """
    State.test, State.removed, State.seen = test, removed, set()
    STATE.write_text(f"{test} {removed}")


def _read() -> None:
    """Read the state file and open the pipe for reports."""
    try:
        State.test, State.removed = map(int, STATE.read_text().split())
        # Opening fails at once if no process reads the pipe. Then reports are not needed.
        State.pipe = os.open(PIPE, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        os.set_blocking(State.pipe, True)
    except (OSError, ValueError):
        State.pipe = -1


def _reached(number: int) -> bool:
    """Report that the running test reaches this guard. Returns whether the guard is removed."""
    if number not in State.seen:
        State.seen.add(number)
        if State.test >= 0 and State.pipe >= 0:
            try:
                os.write(State.pipe, b"%d %d\n" % (State.test, number))
            except OSError:
                State.pipe = -1
    return number == State.removed


def refuse(number: int, value: Any) -> Any:
    """A condition under which the code refuses: never true when removed."""
    return False if value and _reached(number) else value


def require(number: int, value: Any) -> Any:
    """A condition under which the code continues: always true when removed."""
    return True if not value and _reached(number) else value


either = refuse  # an operand of `or`: never true when removed
both = require  # an operand of `and`: always true when removed


def least(number: int, value: Any) -> Any:
    """One end of a range: no bound when removed."""
    return Always() if _reached(number) else value


most = least


def condition(number: int, value: Any) -> Any:
    """A positional condition of a queryset: an empty Q when removed."""
    if _reached(number):
        from django.db.models import Q

        return Q()
    return value


def conditions(number: int, /, **given: Any) -> dict[str, Any]:
    """A keyword condition of a queryset: no condition when removed."""
    return {} if _reached(number) else given


def binding(number: int, value: Any) -> Any:
    """A part of associated data. When removed: zero bytes, or the empty value of its type."""
    if not _reached(number):
        return value
    return bytes(len(value)) if isinstance(value, bytes) else type(value)()


def sync(number: int, call: Any, /, *arguments: Any, **named: Any) -> Any:
    """A call that makes something durable: skipped when removed."""
    return None if _reached(number) else call(*arguments, **named)


async def await_sync(number: int, call: Any, /, *arguments: Any, **named: Any) -> Any:
    return None if _reached(number) else await call(*arguments, **named)


_read()
