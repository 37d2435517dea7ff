"""The replay of a finished session, computed from its events.

Events hold only ids, numbers and times. Nothing sealed is read here, so a replay cannot show a title, a
picture or a name.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Self
from uuid import UUID

from django.utils.translation import gettext as _

from erasure.runs.event_texts import line
from erasure.runs.models import Event, Hold, Run, Step
from erasure.runs.passes import PASS_COUNT
from erasure.session.snapshot import Viewer, snapshot
from patients.memories.models import Memory

SPEEDS = (1, 10, 60, 300)  # times as fast as the run was
TARGET_SECONDS = 120  # how long a whole replay should take at the speed chosen at first
# Event kinds without a line in the log: thirteen passes per memory say no more than its start and end.
NOT_LOGGED = frozenset({"pass"})


@dataclass(frozen=True)
class Moment:
    """The state of a run directly after one of its events.

    passed: seconds since the run's first event. elapsed: the same without pauses. current: number of the
    memory being erased, or None. level: committed passes of that memory. fates: state of each memory on the
    map, by its number. held: for each memory with open holds, by its number: ids of the memories its copies
    lie in. paused_since: value of `passed` when the present pause began, or None.
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
        """Return the same figures as `counts` in erasure/session/snapshot.py."""
        states = list(self.fates.values())
        return {
            "map": sum(state in {"waiting", "fading", "held"} for state in states),
            "destroyed": states.count("destroyed"),
            "protected": states.count("protected"),
            "off": len(self.held),
        }

    def shown_state(self) -> str:
        """Return "held" if all memories that are left wait for the doctor, else the run's state."""
        at_work = any(state in {"waiting", "fading"} for state in self.fates.values())
        return "held" if self.state == "running" and self.held and not at_work else self.state

    def after(self, event: Event, copies: dict[str, str]) -> Self:
        """Return the moment after `event`. copies: hold id -> id of the memory its copy lies in."""
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
        changes_of = CHANGES_BY_KIND.get(event.kind)
        return replace(now, **changes_of(now, event.data, copies)) if changes_of else now

    def change_fate(self, n: int, state: str) -> dict[str, Any]:
        """Return the changes when memory `n` gets `state`.

        If it was the current memory, there is none afterwards.
        """
        return {
            "fates": {**self.fates, n: state},
            "current": None if self.current == n else self.current,
        }


# Each of the following functions returns the fields of `Moment` that an event of one kind changes.
def _started_or_pass(now: Moment, data: dict[str, Any], copies: dict[str, str]) -> dict[str, Any]:
    n = data["n"]
    return {"fates": {**now.fates, n: "fading"}, "current": n, "level": data.get("level", 0)}


def _destroyed(now: Moment, data: dict[str, Any], copies: dict[str, str]) -> dict[str, Any]:
    return now.change_fate(data["n"], "destroyed")


def _protected(now: Moment, data: dict[str, Any], copies: dict[str, str]) -> dict[str, Any]:
    n = data["n"]
    held = {other: places for other, places in now.held.items() if other != n}
    return {**now.change_fate(n, "protected"), "held": held}


def _damage_decided(now: Moment, data: dict[str, Any], copies: dict[str, str]) -> dict[str, Any]:
    return _protected(now, data, copies) if data["outcome"] == "spared" else {}


def _storage_back(now: Moment, data: dict[str, Any], copies: dict[str, str]) -> dict[str, Any]:
    return _resumed(now, data, copies) if data["goes_on"] else {}


def _held(now: Moment, data: dict[str, Any], copies: dict[str, str]) -> dict[str, Any]:
    n = data["n"]
    places = (*now.held.get(n, ()), copies.get(data.get("hold", ""), ""))
    return {**now.change_fate(n, "held"), "held": {**now.held, n: places}}


def _decided(now: Moment, data: dict[str, Any], copies: dict[str, str]) -> dict[str, Any]:
    n = data["n"]
    still_held = list(now.held.get(n, ()))
    place = copies.get(data.get("hold", ""), "")
    if place in still_held:
        still_held.remove(place)
    held = {**{other: places for other, places in now.held.items() if other != n}}
    if still_held:
        return {"held": {**held, n: tuple(still_held)}}
    fates = {**now.fates, n: "waiting"} if now.fates.get(n) == "held" else now.fates
    return {"held": held, "fates": fates}


def _paused(now: Moment, data: dict[str, Any], copies: dict[str, str]) -> dict[str, Any]:
    since = now.passed if now.paused_since is None else now.paused_since
    return {"state": "paused", "paused_since": since}


def _resumed(now: Moment, data: dict[str, Any], copies: dict[str, str]) -> dict[str, Any]:
    return {"state": "running", **_unpaused(now)}


def _stopping(now: Moment, data: dict[str, Any], copies: dict[str, str]) -> dict[str, Any]:
    return {"state": "aborting", "current": None, "held": {}, **_unpaused(now)}


def _finished(now: Moment, data: dict[str, Any], copies: dict[str, str]) -> dict[str, Any]:
    stopped = data.get("outcome") == Run.Outcome.STOPPED
    return {"state": "aborted" if stopped else "finished", "current": None, "held": {}}


def _unpaused(now: Moment) -> dict[str, Any]:
    """Return the changes that end a pause, none if there is no pause."""
    if now.paused_since is None:
        return {}
    return {"paused_since": None, "paused": now.paused + now.passed - now.paused_since}


CHANGES_BY_KIND = {
    "memory-started": _started_or_pass,
    "pass": _started_or_pass,
    "destroyed": _destroyed,
    "protected": _protected,
    "damage-decided": _damage_decided,
    "storage-back": _storage_back,
    "held": _held,
    "decided": _decided,
    "paused": _paused,
    "resumed": _resumed,
    "aborting": _stopping,
    "withdrawn": _stopping,
    "restored": _stopping,
    "finished": _finished,
}


@dataclass(frozen=True)
class Replay:
    """A finished run as a list of moments, one per event."""

    run: Run
    fates: dict[int, str]  # states of the memories before the first event, by number
    moments: list[Moment]

    @property
    def logged(self) -> list[Moment]:
        """The moments that have a line in the log."""
        return [moment for moment in self.moments if moment.kind not in NOT_LOGGED]

    @property
    def seconds(self) -> float:
        """Seconds from the first event to the last."""
        return self.moments[-1].passed if self.moments else 0.0

    @property
    def speed(self) -> int:
        """The speed at which the whole replay takes about two minutes."""
        return min(SPEEDS, key=lambda speed: abs(self.seconds / speed - TARGET_SECONDS))

    def nearest(self, seq: int) -> Moment:
        """Return the last moment up to `seq`, or the first of all.

        Errors: IndexError if there are no moments.
        """
        return next((moment for moment in reversed(self.moments) if moment.seq <= seq), self.moments[0])

    def first_change(self, memory: UUID) -> int | None:
        """Return the seq of the first event that changed the state of a memory, or None."""
        number = Memory.objects.filter(pk=memory).values_list("number", flat=True).first()
        if number is None:
            return None
        before = self.fates.get(number)
        return next((moment.seq for moment in self.moments if moment.fates.get(number) != before), None)

    def changes(self) -> list[dict[str, Any]]:
        """Return for each moment only the values that differ from the moment before.

        The page's script adds them up.
        """
        out: list[dict[str, Any]] = []
        previous: dict[str, Any] = {}
        fates = self.fates
        for moment in self.moments:
            values: dict[str, Any] = {
                "state": moment.shown_state(),
                "current": moment.current,
                "level": moment.level if moment.current is not None else 0,
                "counts": moment.counts(),
                "copies": {str(n): list(places) for n, places in moment.held.items()},
            }
            new = {k: value for k, value in values.items() if k not in previous or previous[k] != value}
            moved = {n: state for n, state in moment.fates.items() if fates.get(n) != state}
            previous, fates = values, moment.fates
            out.append(
                {
                    "seq": moment.seq,
                    "t": round(moment.passed, 3),
                    "elapsed": int(moment.elapsed),
                    "logged": moment.kind not in NOT_LOGGED,
                    **new,
                    **({"fates": moved} if moved else {}),
                }
            )
        return out


def replay(run: Run) -> Replay:
    """Return the replay of a finished run. Errors: ValueError if the run is not finished."""
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


def snapshot_at(shown: Replay, moment: Moment, *, certificate: bool = False) -> dict[str, Any]:
    """Return the snapshot for the session's templates as it was at `moment`, without names and pictures.

    certificate: whether the viewer may open the certificate.
    """
    data = snapshot(shown.run.pk, Viewer(user=None, names=False, pictures=False, certificate=certificate))
    for memory in data["memories"]:
        state = moment.fates.get(memory["n"]) if memory["zone"] == Memory.Zone.MAP else None
        at_work = memory["n"] is not None and memory["n"] == moment.current
        gone = state == "destroyed"
        # Stored bits, kind and chapter are shown only by the live session; here a memory is just a number.
        memory.update(
            state=state or "waiting",
            level=PASS_COUNT if gone else moment.level if at_work else 0,
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


def neighbors(logged: Sequence[Moment], moment: Moment) -> tuple[int | None, int | None]:
    """Return the seqs of the lines in the log before and after `moment`, None where there is none."""
    earlier = next((item.seq for item in reversed(logged) if item.seq < moment.seq), None)
    return earlier, next((item.seq for item in logged if item.seq > moment.seq), None)


def map_position(memory: dict[str, Any]) -> dict[str, Any]:
    """Return a memory's place on the map. The script draws the shore from it and the memory's state."""
    return {key: memory[key] for key in ("n", "x", "y", "w", "h")}
