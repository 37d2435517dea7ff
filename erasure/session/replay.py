"""A finished session, watched again from its events: lacunae, words and times.

There is nothing left to show. What was recorded is ids, numbers and moments, and that is all this reads:
nothing is unsealed here, so no title, no picture and no name can come back with it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Self
from uuid import UUID

from django.utils.translation import gettext as _

from erasure.runs.event_texts import line
from erasure.runs.models import Event, Hold, Run, Step
from erasure.runs.passes import GONE
from erasure.session.snapshot import Viewer, present
from patients.memories.models import Memory

SPEEDS = (1, 10, 60, 300)  # times as fast as the night was
WATCHED_IN = 120  # seconds that the speed chosen at first should make of a whole night
# Told by what comes before and after it; thirteen lines for each memory say nothing more.
UNTOLD = frozenset({"pass"})


@dataclass(frozen=True)
class Moment:
    """Everything that can be said of a run after one of its events.

    passed: seconds since the run began. elapsed: the same without pauses. fates: state of each memory on the
    map by its number. level: committed passes of the memory at work. held: copies found, by the number of
    the memory they hold (ids of the memories they lie in).
    """

    seq: int
    at: datetime
    kind: str
    text: str
    passed: float = 0.0
    elapsed: float = 0.0
    state: str = "running"
    current: int | None = None
    level: int = 0
    fates: dict[int, str] = field(default_factory=dict)
    held: dict[int, tuple[str, ...]] = field(default_factory=dict)
    paused_since: float | None = None
    paused: float = 0.0  # seconds in earlier pauses

    def counts(self) -> dict[str, int]:
        """The figures of the session's view (erasure/session/snapshot.py)."""
        states = list(self.fates.values())
        return {
            "map": sum(state in {"waiting", "fading", "held"} for state in states),
            "destroyed": states.count("destroyed"),
            "protected": states.count("protected"),
            "off": len(self.held),
        }

    def shown_state(self) -> str:
        """ "held" when all that is left waits for the doctor; else the run's own."""
        at_work = any(state in {"waiting", "fading"} for state in self.fates.values())
        return "held" if self.state == "running" and self.held and not at_work else self.state

    def after(self, event: Event, copies: dict[str, str]) -> Self:
        """Return the moment that `event` makes of this one. copies: where a hold's copy lies, by hold."""
        passed = max(self.passed, (event.at - self.at).total_seconds() + self.passed)
        paused_for = passed - self.paused_since if self.paused_since is not None else 0.0
        now = replace(
            self,
            seq=event.seq,
            at=event.at,
            kind=event.kind,
            text=line(event, {}),
            passed=passed,
            elapsed=passed - self.paused - paused_for,
        )
        told = TELLERS.get(event.kind)
        return replace(now, **told(now, event.data, copies)) if told else now

    def with_fate(self, n: int, state: str) -> dict[str, Any]:
        """What changes where memory `n` comes into `state` and is, if it was, no longer at work."""
        return {
            "fates": {**self.fates, n: state},
            "current": None if self.current == n else self.current,
        }


def _begun(now: Moment, data: dict[str, Any], copies: dict[str, str]) -> dict[str, Any]:
    n = data["n"]
    return {"fates": {**now.fates, n: "fading"}, "current": n, "level": data.get("level", 0)}


def _destroyed(now: Moment, data: dict[str, Any], copies: dict[str, str]) -> dict[str, Any]:
    return now.with_fate(data["n"], "destroyed")


def _protected(now: Moment, data: dict[str, Any], copies: dict[str, str]) -> dict[str, Any]:
    n = data["n"]
    held = {other: places for other, places in now.held.items() if other != n}
    return {**now.with_fate(n, "protected"), "held": held}


def _held(now: Moment, data: dict[str, Any], copies: dict[str, str]) -> dict[str, Any]:
    n = data["n"]
    places = (*now.held.get(n, ()), copies.get(data.get("hold", ""), ""))
    return {**now.with_fate(n, "held"), "held": {**now.held, n: places}}


def _decided(now: Moment, data: dict[str, Any], copies: dict[str, str]) -> dict[str, Any]:
    n = data["n"]
    left = list(now.held.get(n, ()))
    place = copies.get(data.get("hold", ""), "")
    if place in left:
        left.remove(place)
    held = {**{other: places for other, places in now.held.items() if other != n}}
    if left:
        return {"held": {**held, n: tuple(left)}}
    fates = {**now.fates, n: "waiting"} if now.fates.get(n) == "held" else now.fates
    return {"held": held, "fates": fates}


def _paused(now: Moment, data: dict[str, Any], copies: dict[str, str]) -> dict[str, Any]:
    since = now.passed if now.paused_since is None else now.paused_since
    return {"state": "paused", "paused_since": since}


def _resumed(now: Moment, data: dict[str, Any], copies: dict[str, str]) -> dict[str, Any]:
    return {"state": "running", **_unpaused(now)}


def _stopping(now: Moment, data: dict[str, Any], copies: dict[str, str]) -> dict[str, Any]:
    return {"state": "aborting", "current": None, **_unpaused(now)}


def _finished(now: Moment, data: dict[str, Any], copies: dict[str, str]) -> dict[str, Any]:
    stopped = data.get("outcome") == Run.Outcome.STOPPED
    return {"state": "aborted" if stopped else "finished", "current": None, "held": {}}


def _unpaused(now: Moment) -> dict[str, Any]:
    if now.paused_since is None:
        return {}
    return {"paused_since": None, "paused": now.paused + now.passed - now.paused_since}


TELLERS = {
    "memory-started": _begun,
    "pass": _begun,
    "destroyed": _destroyed,
    "protected": _protected,
    "held": _held,
    "decided": _decided,
    "paused": _paused,
    "resumed": _resumed,
    "aborting": _stopping,
    "withdrawn": _stopping,
    "finished": _finished,
}


@dataclass(frozen=True)
class Replay:
    """A run that is over, moment by moment."""

    run: Run
    fates: dict[int, str]  # before anything happened
    moments: list[Moment]

    @property
    def told(self) -> list[Moment]:
        """The moments that the log has a line for."""
        return [moment for moment in self.moments if moment.kind not in UNTOLD]

    @property
    def seconds(self) -> float:
        return self.moments[-1].passed if self.moments else 0.0

    @property
    def speed(self) -> int:
        """The speed at which the whole night takes about two minutes."""
        return min(SPEEDS, key=lambda speed: abs(self.seconds / speed - WATCHED_IN))

    def nearest(self, seq: int) -> Moment:
        """The last moment up to `seq`, the first where there is none. Errors: IndexError without any."""
        return next((moment for moment in reversed(self.moments) if moment.seq <= seq), self.moments[0])

    def begins(self, memory: UUID) -> int | None:
        """The seq at which a memory began to fade, or at which something else first happened to it."""
        number = Memory.objects.filter(pk=memory).values_list("number", flat=True).first()
        if number is None:
            return None
        before = self.fates.get(number)
        return next((moment.seq for moment in self.moments if moment.fates.get(number) != before), None)

    def changes(self) -> list[dict[str, Any]]:
        """What the page's script folds into each other: of each moment only what it changed."""
        out: list[dict[str, Any]] = []
        known: dict[str, Any] = {}
        fates = self.fates
        for moment in self.moments:
            said: dict[str, Any] = {
                "state": moment.shown_state(),
                "current": moment.current,
                "level": moment.level if moment.current is not None else 0,
                "counts": moment.counts(),
                "copies": {str(n): list(places) for n, places in moment.held.items()},
            }
            new = {key: value for key, value in said.items() if key not in known or known[key] != value}
            moved = {n: state for n, state in moment.fates.items() if fates.get(n) != state}
            known, fates = said, moment.fates
            out.append(
                {
                    "seq": moment.seq,
                    "t": round(moment.passed, 3),
                    "elapsed": int(moment.elapsed),
                    "told": moment.kind not in UNTOLD,
                    **new,
                    **({"fates": moved} if moved else {}),
                }
            )
        return out


def replay(run: Run) -> Replay:
    """Return a finished run moment by moment, from its events. Errors: ValueError where it is not over."""
    if run.state != Run.State.FINISHED:
        raise ValueError(_("This session is not over."))
    on_map = Memory.objects.filter(case=run.procedure.case_id, zone=Memory.Zone.MAP)
    numbers = on_map.order_by("number").values_list("number", flat=True)
    targets = set(Step.objects.filter(run=run).values_list("memory__number", flat=True))
    first = {n: "waiting" if n in targets else "protected" for n in numbers if n is not None}
    copies = {
        str(pk): str(memory)
        for pk, memory in Hold.objects.filter(step__run=run).values_list("pk", "copy__memory_id")
    }
    moments = _moments(Event.objects.filter(run=run).order_by("seq"), first, copies)
    return Replay(run, first, moments)


def _moments(events: Iterable[Event], fates: dict[int, str], copies: dict[str, str]) -> list[Moment]:
    now: Moment | None = None
    out = []
    for event in events:
        # The clock begins with the first event.
        now = now or Moment(seq=0, at=event.at, kind="", text="", fates=fates)
        now = now.after(event, copies)
        out.append(now)
    return out


def present_at(shown: Replay, moment: Moment) -> dict[str, Any]:
    """The present as the session's templates take it, as it was after `moment`: no names, no pictures."""
    data = present(shown.run.pk, Viewer(user=None, names=False, pictures=False))
    for memory in data["memories"]:
        state = moment.fates.get(memory["n"]) if memory["zone"] == Memory.Zone.MAP else None
        at_work = memory["n"] is not None and memory["n"] == moment.current
        gone = state == "destroyed"
        # What is at most stored of it is told by the session while it is; afterwards it is only a number.
        memory.update(
            state=state or "waiting",
            level=GONE if gone else moment.level if at_work else 0,
            bits=0,
            kind="",
            chapter=None,
        )
    alarms = [
        {"id": f"{n}-{place}", "kind": "off-map", "n": n, "copy": place}
        for n, places in moment.held.items()
        for place in places
    ]
    return {
        **data,
        "state": moment.shown_state(),
        "counts": moment.counts(),
        "current": moment.current,
        "elapsed_s": int(moment.elapsed),
        "remaining_s": None,
        "paused_at": None,
        "paused_by": None,
        "alarms": alarms,
        "log": [],
    }


def beside(told: Sequence[Moment], moment: Moment) -> tuple[int | None, int | None]:
    """The seqs of the log's lines before and after a moment."""
    earlier = next((item.seq for item in reversed(told) if item.seq < moment.seq), None)
    return earlier, next((item.seq for item in told if item.seq > moment.seq), None)


def places(memory: dict[str, Any]) -> dict[str, Any]:
    """Where a memory of a present lies: all that the coast is drawn from, beside its state."""
    return {key: memory[key] for key in ("n", "x", "y", "w", "h")}
