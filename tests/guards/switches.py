"""The switches that stand in for guards while tests run. A copy of this file lies in each prepared tree.

Each switch has its guard's number. It reports, once per test, that the test gets to where the guard decides:
without the guard the test can only go differently from there. The switch of the one guard that is taken out
answers as if the guard were not there. The state file beside this one says which that is, for this process
and those that a test starts; reports go into a pipe, since a confined process may write to no file.
"""

import os
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
STATE = HERE / "guards-state"
PIPE = HERE / "guards-pipe"


class State:
    """Which test runs, and which guard is out: numbers, -1 for none."""

    test = -1
    out = -1
    pipe = -1
    process = -1
    seen: set[int] = set()


class Always:
    """Stands for one end of a chained comparison: whatever it is compared with is on the right side of it."""

    def __lt__(self, other: object) -> bool:
        return True

    __le__ = __gt__ = __ge__ = __lt__


def begin(test: int, out: int) -> None:
    """Set what this process runs. Called in the process of the tests; others read it as they start."""
    State.test, State.out, State.seen = test, out, set()
    STATE.write_text(f"{test} {out}")


def _read() -> None:
    try:
        State.test, State.out = map(int, STATE.read_text().split())
        # Never blocks where nobody reads: then nobody asks either.
        State.pipe = os.open(PIPE, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        os.set_blocking(State.pipe, True)
    except (OSError, ValueError):
        State.pipe = -1


def _reached(number: int) -> bool:
    """Report that the running test gets here. Returns whether this guard is out."""
    if number not in State.seen:
        State.seen.add(number)
        if State.test >= 0 and State.pipe >= 0:
            try:
                os.write(State.pipe, b"%d %d\n" % (State.test, number))
            except OSError:
                State.pipe = -1
    return number == State.out


def refuse(number: int, value: Any) -> Any:
    """A condition to refuse on: never true when out."""
    return False if value and _reached(number) else value


def require(number: int, value: Any) -> Any:
    """A condition to go on: always true when out."""
    return True if not value and _reached(number) else value


either = refuse
both = require


def least(number: int, value: Any) -> Any:
    return Always() if _reached(number) else value


most = least


def condition(number: int, value: Any) -> Any:
    """A positional condition of a queryset: an empty Q when out."""
    if _reached(number):
        from django.db.models import Q

        return Q()
    return value


def conditions(number: int, /, **given: Any) -> dict[str, Any]:
    return {} if _reached(number) else given


def binding(number: int, value: Any) -> Any:
    """A part of an associated data: zeros or nothing of the same type when out."""
    if not _reached(number):
        return value
    return bytes(len(value)) if isinstance(value, bytes) else type(value)()


def sync(number: int, call: Any, /, *arguments: Any, **named: Any) -> Any:
    return None if _reached(number) else call(*arguments, **named)


async def sync_later(number: int, call: Any, /, *arguments: Any, **named: Any) -> Any:
    return None if _reached(number) else await call(*arguments, **named)


_read()
