"""The status of a case, derived in one place: the stage, who has to act, what comes next, what is allowed.

`case_status` is a pure function of `Facts`. It reads no database and no clock. patients/cases/facts.py
gathers the facts; patients/cases/status_words.py says the result in words. Pages, the day board and lists
derive nothing themselves. A "night" is one booked procedure with its run.
"""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID


class Stage(StrEnum):
    """How far a case is. `_stage` derives it; of these only STOPPED is no value of Case.stage too."""

    INTAKE = "intake"
    BRINGING = "bringing"  # the patient is adding keepsakes
    REVIEW = "review"
    MAPPED = "mapped"
    CONSENTED = "consented"
    BOOKED = "booked"
    RUNNING = "running"
    STOPPED = "stopped"  # the most recent night was stopped, and nothing has followed yet
    CLOSED = "closed"
    WITHDRAWN = "withdrawn"


# The map is open: the patient may change what they brought.
OPEN = frozenset({Stage.INTAKE, Stage.BRINGING, Stage.REVIEW})
# The map is locked, and no night is booked.
LOCKED = frozenset({Stage.MAPPED, Stage.STOPPED, Stage.CONSENTED})
OVER = frozenset({Stage.CLOSED, Stage.WITHDRAWN})


class Who(StrEnum):
    """Who has to act."""

    PATIENT = "patient"
    TEAM = "team"  # doctors and technicians
    DOCTOR = "doctor"
    DESK = "desk"  # who books nights: the front desk and doctors


@dataclass(frozen=True)
class Things:
    """Numbers of keepsakes. brought: all that the patient has not taken back; here: those of them not erased.

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
    """Numbers of memories. on_map: all on the map. They are split into targets, protected and erased.

    childhood: those kept off the map. unrated: not erased, without an intensity. undated: not erased, on the
    map, without a date; counted only while the map is open.
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
    """The locked map. current: the memories are still those that were locked."""

    id: UUID
    locked_at: datetime
    current: bool = True


@dataclass(frozen=True)
class Consent:
    """A consent in force. starts_from: the earliest start of a night, when cooling-off has ended."""

    signed_at: datetime
    starts_from: datetime


@dataclass(frozen=True)
class Night:
    """One procedure that was not canceled, with its run if it has started.

    state: of the procedure (booked, started, done). fault: why a booked night cannot start at its time, a
    code of erasure/procedures/readiness.py, or "". run_state: "" before the start. decisions: number of
    copies off the map on which the doctor has still to decide. called_at: since when a doctor is called and
    nobody has answered.
    """

    id: UUID
    map_id: UUID
    state: str
    starts_at: datetime
    ends_at: datetime
    place: str = ""
    fault: str = ""
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


@dataclass(frozen=True)
class Remainders:
    """Memories that a stopped night left partly erased. left: all; undecided: the patient has not decided."""

    left: int = 0
    undecided: int = 0


@dataclass(frozen=True)
class Facts:
    """All that the status of a case depends on. stored: Case.stage. nights: the oldest first.

    storage: the consent in force to keep keepsakes. consent: the one to erase the map that is locked now.
    subject_named: the patient has said whom they want to forget.
    """

    stored: str
    subject_named: bool = False
    things: Things = field(default_factory=Things)
    memories: Memories = field(default_factory=Memories)
    map: Map | None = None
    storage: Consent | None = None
    consent: Consent | None = None
    nights: tuple[Night, ...] = ()
    remainders: Remainders = field(default_factory=Remainders)


@dataclass(frozen=True)
class Wait:
    """Something that waits for a person. code: see status_words.py. count: of how many things, if counted.

    fault: for "held", why the night cannot start. since: for "called", since when.
    """

    code: str
    who: Who
    count: int = 0
    fault: str = ""
    since: datetime | None = None


@dataclass(frozen=True)
class Next:
    """What comes next. code: see status_words.py. at: when, or from when on, if that is known."""

    code: str
    at: datetime | None = None


@dataclass(frozen=True)
class Status:
    """What `case_status` derives. night: the night booked or under way, else the last one.

    allowed: codes of the actions that the server accepts now. Who may do each is in the access policy.
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
    if any(night.state == "booked" for night in facts.nights):
        return Stage.BOOKED
    if facts.map is None:
        return stored
    if facts.consent is not None:
        return Stage.CONSENTED
    stopped = any(night.map_id == facts.map.id and night.outcome == "stopped" for night in facts.nights)
    return Stage.STOPPED if stopped else Stage.MAPPED


def _waits(stage: Stage, facts: Facts, night: Night | None) -> list[Wait]:
    waits: list[Wait] = []
    if stage == Stage.RUNNING and night is not None:
        if night.called_at:
            waits.append(Wait("called", Who.DOCTOR, since=night.called_at))
        if night.decisions:
            waits.append(Wait("decide", Who.DOCTOR, night.decisions))
        return waits
    if stage == Stage.BOOKED:
        return [Wait("held", Who.TEAM, fault=night.fault)] if night and night.fault else []
    if facts.remainders.undecided:
        waits.append(Wait("remainder", Who.PATIENT, facts.remainders.undecided))
    if stage in OPEN:
        return waits + _waits_of_open_map(stage, facts)
    if stage in LOCKED:
        if facts.map is not None and not facts.map.current:
            waits.append(Wait("relock", Who.TEAM))
        elif stage == Stage.CONSENTED:
            waits.append(Wait("book", Who.DESK))
        else:
            waits.append(Wait("sign", Who.PATIENT))
    return waits


def _waits_of_open_map(stage: Stage, facts: Facts) -> list[Wait]:
    waits: list[Wait] = []
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
    if facts.things.waiting and stage != Stage.INTAKE:
        waits.append(Wait("review", Who.TEAM, facts.things.waiting))
    elif stage == Stage.REVIEW:
        waits.append(Wait("lock" if lockable(facts) else "mapping", Who.TEAM))
    return waits


def _night_fault(facts: Facts) -> str:
    night = _night(facts)
    return night.fault if night else ""


def lockable(facts: Facts) -> bool:
    """Return whether nothing stands in the way of the lock: the same as `obstacles` of patients/maps."""
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
        case Stage.MAPPED | Stage.STOPPED:
            return Next("sign")
        case Stage.CONSENTED:
            return Next("book", facts.consent.starts_from if facts.consent else None)
        case Stage.BOOKED:
            return Next("night", night.starts_at if night else None)
        case Stage.RUNNING:
            return Next("stopping" if night and night.run_state == "stopping" else "end")
    return Next("certificate") if night and night.run and not night.certified else None


def _allowed(stage: Stage, facts: Facts) -> set[str]:
    """Return the codes of what may be done. The functions that change a case refuse everything else."""
    found: set[str] = set()
    if stage in OPEN:
        found |= {"answer", "map", "review"}
        found |= {"bring"} if facts.storage else {"agree"}
        found |= {"submit"} if facts.things.here else set()
        found |= {"lock"} if lockable(facts) else set()
    if stage in LOCKED:
        found.add("unlock")
        if facts.map is not None and facts.map.current:
            found.add("book" if stage == Stage.CONSENTED else "sign")
    if stage == Stage.BOOKED:
        found |= {"move", "cancel", "hand-thing"}
        found |= {"start"} if not _night_fault(facts) else set()
    if stage == Stage.RUNNING:
        found.add("hand-thing")
    if facts.remainders.left and stage not in {Stage.BOOKED, Stage.RUNNING}:
        found.add("remainder")
    if stage not in OVER and (facts.storage or facts.consent):
        found.add("withdraw")
    return found
