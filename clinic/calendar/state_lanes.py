"""The lanes of the day board by state: expected, arrived, running, overdue, done."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import models
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from clinic.calendar.durations import format_duration, format_end

# A booking that has not begun this long after its start is late.
LATE_AFTER = timedelta(minutes=5)


class State(models.TextChoices):
    """The state of a booking. A `BookingLabel` has any of them except OVERDUE, which the board derives."""

    EXPECTED = "expected", _("Expected")
    ARRIVED = "arrived", _("Arrived, in the room")
    RUNNING = "running", _("Running")
    OVERDUE = "overdue", _("Overdue")
    DONE = "done", _("Done")
    MISSED = "missed", _("Missed")


LANES = (State.EXPECTED, State.ARRIVED, State.RUNNING, State.OVERDUE, State.DONE)


@dataclass(frozen=True)
class Timer:
    """A duration that grows. pattern: its text, with {time} for the duration. amber: it is a warning."""

    pattern: str | Promise
    since: datetime
    now: datetime
    amber: bool = False

    @property
    def words(self) -> str:
        """The text as of when the board was made."""
        return str(self.pattern).replace("{time}", format_duration((self.now - self.since).total_seconds()))


@dataclass(frozen=True)
class Card:
    """One booking in a lane. places: its rooms, kits and people, as text. since: when its state began."""

    key: str
    who: str
    what: str | Promise
    url: str
    places: str
    state: str
    starts_at: datetime
    ends_at: datetime
    now: datetime
    since: datetime | None = None

    @property
    def lane(self) -> State:
        """The lane it is in: its state, or OVERDUE if it was missed or is expected and late."""
        if self.state == State.MISSED or (self.state == State.EXPECTED and self._late):
            return State.OVERDUE
        return State(self.state)

    @property
    def missed(self) -> bool:
        """Whether its hours have passed and it was not begun."""
        return self.state == State.MISSED

    @property
    def hours(self) -> str:
        """Its booked hours, as text."""
        first = date_format(timezone.localtime(self.starts_at), "H:i")
        return f"{first} – {format_end(self.starts_at, self.ends_at)}"

    @property
    def timers(self) -> list[Timer]:
        """How long it has been in its state, and how late it is."""
        found = []
        if self.state == State.ARRIVED and self.since:
            found.append(Timer(_("waiting for {time}"), self.since, self.now))
        if self.state in {State.EXPECTED, State.ARRIVED} and self._late:
            found.append(Timer(_("{time} late"), self.starts_at, self.now, amber=True))
        if self.state == State.RUNNING:
            found.append(Timer(_("running for {time}"), self.since or self.starts_at, self.now))
            if self.now >= self.ends_at:
                found.append(Timer(_("{time} over its hours"), self.ends_at, self.now, amber=True))
        return found

    @property
    def _late(self) -> bool:
        return self.now >= self.starts_at + LATE_AFTER


@dataclass(frozen=True)
class StateLane:
    """One lane with its cards, in order of time."""

    state: State
    cards: list[Card]


def lanes_of(cards: Sequence[Card]) -> list[StateLane]:
    """Return all lanes in order, also those without a card."""
    return [StateLane(state, [card for card in cards if card.lane == state]) for state in LANES]


def state_by_hours(starts_at: datetime, until: datetime, now: datetime) -> State:
    """Return the state of a booking of which nothing but its hours is known."""
    if now < starts_at:
        return State.EXPECTED
    return State.RUNNING if now < until else State.DONE
