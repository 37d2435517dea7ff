"""Derives the status of a case: its stage, who has to act, what comes next, which actions are allowed.

`case_status` is a pure function of `Facts`. It uses neither the database nor the clock.
patients/cases/facts.py gathers the facts. patients/cases/status_words.py has the words for the result. Pages,
the day board and lists derive no status themselves. A "night" is one booked procedure with its run.
"""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID


class Stage(StrEnum):
    """How far a case is, as `_stage` derives it. All but MISSED and STOPPED are also values of Case.stage."""

    INTAKE = "intake"
    BRINGING = "bringing"  # the patient is adding keepsakes
    REVIEW = "review"
    MAPPED = "mapped"
    CONSENTED = "consented"
    BOOKED = "booked"
    RUNNING = "running"
    MISSED = "missed"  # a night is booked, its hours have passed, and it was not started
    STOPPED = "stopped"  # the most recent night was stopped, and nothing has followed yet
    CLOSED = "closed"
    WITHDRAWN = "withdrawn"


# The map is open: the patient may change what they brought.
OPEN = frozenset({Stage.INTAKE, Stage.BRINGING, Stage.REVIEW})
# The map is locked, and no night is booked.
LOCKED = frozenset({Stage.MAPPED, Stage.STOPPED, Stage.CONSENTED})
OVER = frozenset({Stage.CLOSED, Stage.WITHDRAWN})
# What `review_fault` returns if the review of the intake is in the way.
REVIEW_FAULTS = frozenset({"unreviewed", "outdated", "not-cleared"})


class Hours(StrEnum):
    """Whether now is before, within or after the hours in which a booked night can be started."""

    BEFORE = "before"
    OPEN = "open"
    OVER = "over"


class Who(StrEnum):
    """Who has to act."""

    PATIENT = "patient"
    TEAM = "team"  # doctors and technicians
    DOCTOR = "doctor"
    DESK = "desk"  # who books nights: the front desk and doctors


@dataclass(frozen=True)
class Things:
    """Numbers of a case's keepsakes.

    brought: all that the patient has not taken back, erased ones included. here: those that are not erased.
    waiting: not reviewed yet. returned: sent back to the patient by the review. unplaced: here, but in no
    memory. last: when the newest was added.
    """

    brought: int = 0
    here: int = 0
    waiting: int = 0
    returned: int = 0
    unplaced: int = 0
    last: datetime | None = None


@dataclass(frozen=True)
class Memories:
    """Numbers of a case's memories.

    on_map: all on the map, which are either targets, protected or erased. childhood: those kept off the map.
    unrated: not erased, without an intensity. undated: not erased, on the map, without a date; counted only
    while the map is open.
    """

    on_map: int = 0
    targets: int = 0
    protected: int = 0
    erased: int = 0
    childhood: int = 0
    unrated: int = 0
    undated: int = 0


@dataclass(frozen=True)
class Map:
    """The locked map.

    current: whether the memories are still the same as when it was locked. needs_review: whether what follows
    needs a doctor's review of the intake; False for maps locked before there were reviews.
    """

    id: UUID
    locked_at: datetime
    current: bool = True
    needs_review: bool = True


@dataclass(frozen=True)
class Review:
    """The newest review of the intake by a doctor.

    outcome: "cleared", "cleared_with_conditions" or "not_cleared". current: whether it is of the answers as
    they are now.
    """

    outcome: str
    reviewed_at: datetime
    current: bool = True


def review_fault(review: Review | None, *, needed: bool = True) -> str:
    """Return why the review of the intake does not let a case go on, or "" if it does.

    "unreviewed": there is none. "outdated": the answers have changed since. "not-cleared": the doctor has not
    cleared the patient.
    needed: False for a map locked before there were reviews; then only "not-cleared" counts.
    """
    if review is not None and review.current and review.outcome == "not_cleared":
        return "not-cleared"
    if not needed or (review is not None and review.current):
        return ""
    return "outdated" if review else "unreviewed"


@dataclass(frozen=True)
class Consent:
    """A consent in force. starts_from: when its cooling-off ends; no night may start earlier."""

    signed_at: datetime
    starts_from: datetime


@dataclass(frozen=True)
class Night:
    """One procedure that was not canceled, with its run if it has started.

    state: the procedure's state (booked, started, done). fault: why a booked night cannot start at its time,
    as a code of erasure/procedures/readiness.py, or "". hours: whether it could be started at this hour.
    place: where, in words that the patient reads. run_state: the run's state, "" before the start.
    decisions: number of copies off the map that still wait for the doctor's decision. called_at: since when
    a doctor has been called without an answer.
    """

    id: UUID
    map_id: UUID
    state: str
    starts_at: datetime
    ends_at: datetime
    place: str = ""
    fault: str = ""
    hours: Hours = Hours.OPEN
    run: UUID | None = None
    run_state: str = ""
    outcome: str = ""
    finished_at: datetime | None = None
    decisions: int = 0
    called_at: datetime | None = None
    certified: bool = False

    @property
    def under_way(self) -> bool:
        """Whether it has started and has not ended."""
        return self.run is not None and self.run_state != "finished"

    @property
    def missed(self) -> bool:
        """Whether its hours have passed and it was not started."""
        return self.state == "booked" and self.hours == Hours.OVER


@dataclass(frozen=True)
class Remainders:
    """Memories that a stopped night left partly erased. left: all; undecided: the patient has not decided."""

    left: int = 0
    undecided: int = 0


@dataclass(frozen=True)
class Facts:
    """All facts that the status of a case depends on.

    stored: the case's field `stage`. subject_named: whether the patient has said whom they want to forget.
    alarming: whether an answer of the intake is one that a doctor has to know.
    review: the newest review of the intake. storage: the consent in force to store keepsakes. consent: the
    consent in force to erase the map that is locked now. nights: the oldest first.
    """

    stored: str
    subject_named: bool = False
    alarming: bool = False
    review: Review | None = None
    things: Things = field(default_factory=Things)
    memories: Memories = field(default_factory=Memories)
    map: Map | None = None
    storage: Consent | None = None
    consent: Consent | None = None
    nights: tuple[Night, ...] = ()
    remainders: Remainders = field(default_factory=Remainders)

    @property
    def review_fault(self) -> str:
        """Why the review of the intake does not let the case go on; see the function `review_fault`."""
        return review_fault(self.review, needed=self.map is None or self.map.needs_review)


@dataclass(frozen=True)
class Wait:
    """One thing that waits for a person to act.

    code: which thing; see status_words.py. count: how many keepsakes, memories or copies wait; 0 for other
    things. fault: for "held" why the night cannot start, for "missed" why it cannot be moved. since: for
    "called" only, when the call began.
    """

    code: str
    who: Who
    count: int = 0
    fault: str = ""
    since: datetime | None = None


@dataclass(frozen=True)
class Next:
    """What comes next. code: see status_words.py. at: when, or the earliest time, if that is known."""

    code: str
    at: datetime | None = None


@dataclass(frozen=True)
class Status:
    """The status of a case, as `case_status` derives it.

    night: the night booked or under way, else the last one. allowed: codes of the actions that the server
    accepts now; the access policy says who may do each.
    """

    stage: Stage
    waits: tuple[Wait, ...]
    next: Next | None
    allowed: frozenset[str]
    night: Night | None
    facts: Facts

    def waits_for(self, *who: Who) -> list[Wait]:
        """Return what waits for one of `who`, the most urgent first."""
        return [wait for wait in self.waits if wait.who in who]

    def allows(self, action: str) -> bool:
        """Return whether the server accepts `action` now, from a person who may do it."""
        return action in self.allowed


def case_status(facts: Facts) -> Status:
    """Return the status of a case with these facts."""
    stage, night = _stage(facts), _night(facts)
    return Status(
        stage=stage,
        waits=tuple(_waits(stage, facts, night)),
        next=_next(stage, facts, night),
        allowed=frozenset(_allowed(stage, facts)),
        night=night,
        facts=facts,
    )


def _night(facts: Facts) -> Night | None:
    """Return the night booked or under way, else the last one."""
    current = [night for night in facts.nights if night.state == "booked" or night.under_way]
    nights = current or list(facts.nights)
    return nights[-1] if nights else None


def _stage(facts: Facts) -> Stage:
    """Return the stored stage of a case that is over or whose map is open; else derive it from the facts."""
    stored = Stage(facts.stored)
    if stored in OVER:
        return stored
    if any(night.under_way for night in facts.nights):
        return Stage.RUNNING
    booked = [night for night in facts.nights if night.state == "booked"]
    if booked:
        return Stage.MISSED if booked[-1].missed else Stage.BOOKED
    if facts.map is None:
        return stored
    if facts.consent is not None:
        return Stage.CONSENTED
    stopped = any(night.map_id == facts.map.id and night.outcome == "stopped" for night in facts.nights)
    return Stage.STOPPED if stopped else Stage.MAPPED


def _waits(stage: Stage, facts: Facts, night: Night | None) -> list[Wait]:
    """Return what waits for a person, the most urgent first."""
    waits: list[Wait] = []
    if stage == Stage.RUNNING and night is not None:
        if night.called_at:
            waits.append(Wait("called", Who.DOCTOR, since=night.called_at))
        if night.decisions:
            waits.append(Wait("decide", Who.DOCTOR, night.decisions))
        return waits
    if stage == Stage.BOOKED:
        return [Wait("held", Who.TEAM, fault=night.fault)] if night and night.fault else []
    if stage == Stage.MISSED:
        # A night can be moved only after its fault is mended.
        reviewing = [Wait(night.fault, Who.DOCTOR)] if night and night.fault in REVIEW_FAULTS else []
        return [Wait("missed", Who.DESK, fault=night.fault if night else ""), *reviewing]
    if facts.remainders.undecided:
        waits.append(Wait("remainder", Who.PATIENT, facts.remainders.undecided))
    if stage in OPEN:
        return waits + _waits_of_open_map(stage, facts)
    if stage in LOCKED:
        if facts.map is not None and not facts.map.current:
            waits.append(Wait("relock", Who.TEAM))
        elif facts.review_fault:
            waits.append(Wait(facts.review_fault, Who.DOCTOR))
        elif stage == Stage.CONSENTED:
            waits.append(Wait("book", Who.DESK))
        else:
            waits.append(Wait("sign", Who.PATIENT))
    return waits


def _waits_of_open_map(stage: Stage, facts: Facts) -> list[Wait]:
    waits: list[Wait] = []
    asked_later = stage == Stage.INTAKE or not facts.subject_named  # the review of the whole intake
    if facts.alarming and facts.review_fault in {"unreviewed", "outdated"} and asked_later:
        waits.append(Wait("alarming", Who.DOCTOR))
    if facts.things.returned:
        waits.append(Wait("returned", Who.PATIENT, facts.things.returned))
    if not facts.subject_named:
        waits.append(Wait("intake", Who.PATIENT))
    elif facts.storage is None:
        waits.append(Wait("agree", Who.PATIENT))
    elif stage != Stage.REVIEW:
        waits.append(Wait("bring", Who.PATIENT, facts.things.here))
    if facts.things.unplaced and stage != Stage.REVIEW:
        waits.append(Wait("place", Who.PATIENT, facts.things.unplaced))
    if facts.review_fault and facts.subject_named and stage != Stage.INTAKE:
        waits.append(Wait(facts.review_fault, Who.DOCTOR))
    if facts.things.waiting and stage != Stage.INTAKE:
        waits.append(Wait("review", Who.TEAM, facts.things.waiting))
    elif stage == Stage.REVIEW and not is_mapped(facts):
        waits.append(Wait("mapping", Who.TEAM))
    elif stage == Stage.REVIEW and lockable(facts):
        waits.append(Wait("lock", Who.TEAM))
    return waits


def _night_fault(facts: Facts) -> str:
    """Return why the current night cannot start, as in `Night.fault`; "" if it can, or without a night."""
    night = _night(facts)
    return night.fault if night else ""


def _hours(facts: Facts) -> Hours:
    night = _night(facts)
    return night.hours if night else Hours.OPEN


def lockable(facts: Facts) -> bool:
    """Return whether the map can be locked. The same conditions as in `obstacles` of patients/maps."""
    return is_mapped(facts) and not facts.review_fault


def is_mapped(facts: Facts) -> bool:
    """Return whether the map lacks nothing."""
    things, memories = facts.things, facts.memories
    lacking = things.unplaced + things.waiting + things.returned + memories.unrated + memories.undated
    return bool(memories.targets) and not lacking


def _next(stage: Stage, facts: Facts, night: Night | None) -> Next | None:
    match stage:
        case Stage.INTAKE | Stage.BRINGING | Stage.REVIEW:
            return Next(stage.value)
        case Stage.MAPPED | Stage.STOPPED | Stage.CONSENTED if (
            facts.map is not None and not facts.map.current
        ):
            return Next("relock")
        case Stage.MAPPED | Stage.STOPPED | Stage.CONSENTED if facts.review_fault:
            return Next("doctor")
        case Stage.MAPPED | Stage.STOPPED:
            return Next("sign")
        case Stage.CONSENTED:
            return Next("book", facts.consent.starts_from if facts.consent else None)
        case Stage.BOOKED:
            return Next("night", night.starts_at if night else None)
        case Stage.MISSED:
            return Next("missed")
        case Stage.RUNNING:
            return Next("stopping" if night and night.run_state == "stopping" else "end")
    return Next("certificate") if night and night.run and not night.certified else None


def _allowed(stage: Stage, facts: Facts) -> set[str]:
    """Return the codes of the allowed actions. The functions that change a case refuse all others."""
    found: set[str] = set()
    if stage in OPEN:
        found |= {"answer", "map", "review"}
        found |= {"bring"} if facts.storage else {"agree"}
        found |= {"submit"} if facts.things.here else set()
        found |= {"lock"} if lockable(facts) else set()
    if stage in LOCKED:
        found.add("unlock")
        if facts.map is not None and facts.map.current and not facts.review_fault:
            found.add("book" if stage == Stage.CONSENTED else "sign")
    if stage == Stage.BOOKED:
        found |= {"move", "cancel", "hand-thing"}
        found |= {"start"} if not _night_fault(facts) and _hours(facts) == Hours.OPEN else set()
    if stage == Stage.MISSED:
        found |= {"cancel", "hand-thing"}
        # Its consent and its review are checked again, as if it were booked now.
        found |= {"move"} if _night_fault(facts) in {"", "cooling-off"} else set()
    if stage == Stage.RUNNING:
        found.add("hand-thing")
    elif stage not in OVER and facts.subject_named:
        found.add("review-intake")
    if facts.remainders.left and stage not in {Stage.BOOKED, Stage.MISSED, Stage.RUNNING}:
        found.add("remainder")
    if stage not in OVER and (facts.storage or facts.consent):
        found.add("withdraw")
    return found
