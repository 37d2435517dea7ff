"""Finds the next times at which resources are free, and the objections to a time that somebody chose.

The search only proposes. The reservations decide whether a booking is made (clinic/calendar/bookings.py).
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any
from uuid import UUID

from django.utils import timezone

from clinic.availability.search import Candidate, Need, next_times
from clinic.availability.timetables import Grid, clock_moment, holder_of, load_timetables, season_spans
from clinic.calendar.models import PLACES, QUARTER, Booking, Resource
from clinic.seasons.rules import seasons_between

DAYS_AHEAD = 90  # times are looked for so many days ahead
TIMES = 10  # so many are offered
HALF_HOUR = timedelta(minutes=30)


@dataclass(frozen=True)
class Wanted:
    """`count` of the resources `among` are needed. name: under which `Offer.team` has those that were chosen.

    before, after: minutes that are reserved around the booking; they count for places only.
    """

    name: str
    count: int
    among: Sequence[Resource]
    before: int = 0
    after: int = 0


@dataclass(frozen=True)
class Offer:
    """A time at which all that is wanted is free. team: what would be booked, by `Wanted.name`."""

    starts_at: datetime
    ends_at: datetime
    team: Mapping[str, Sequence[Resource]]

    @property
    def resources(self) -> list[Resource]:
        return [resource for chosen in self.team.values() for resource in chosen]


def quarters_of(minutes: float) -> int:
    """Return a number of minutes in quarters of an hour, rounded up."""
    return int(-(-minutes // 15))


def next_offers(
    wanted: Sequence[Wanted],
    duration: timedelta,
    *,
    start: datetime,
    clocks: Sequence[time],
    night: bool = False,
    in_extra_hours: bool = False,
    never_in: Sequence[tuple[datetime, datetime]] = (),
    exclude: Booking | None = None,
    knows: Collection[UUID] = (),
    weekdays: Collection[int] | None = None,
    days: int = DAYS_AHEAD,
    limit: int = TIMES,
) -> list[Offer]:
    """Return the next times at which all that is wanted is free, the earliest first.

    start: a booking does not begin before this moment. clocks: the times of the day at which it may begin.
    night: the limits on nights count. in_extra_hours: it may also begin at each half hour of a season's extra
    hours. never_in: spans in which it may not begin. weekdays: on which it may begin, 0 is Monday; None: on
    any. exclude: a booking that does not count, because it is to be moved. days: how far ahead times are
    looked for. limit: how many are returned.

    Of several people who are free, those with the fewest nights in that month are chosen, then those who know
    the patient (knows: their ids), then by name.
    """
    end = start + timedelta(days=days)
    grid = Grid.around(start, end)
    resources = list({one.pk: one for row in wanted for one in row.among}.values())
    tables = load_timetables(resources, grid, exclude=exclude)
    candidates = {
        pk: Candidate(pk, holder_of(table.resource), table.bookable_quarters(night=night))
        for pk, table in tables.items()
    }

    def order(at: int, candidate: Candidate) -> Any:
        table = tables[candidate.key]  # type: ignore[index]
        resource = table.resource
        return table.nights_in_month(grid.moment(at)), resource.user_id not in knows, resource.label

    allowed = allowed_starts(grid, start, end, clocks, weekdays)
    if in_extra_hours:
        allowed |= starts_in_season_hours(grid, start, end, weekdays)
    for span in never_in:
        allowed &= ~grid.inside(*span)
    found = next_times(
        [
            Need(
                row.count,
                [candidates[one.pk] for one in row.among],
                quarters_of(row.before) if _is_place(row) else 0,
                quarters_of(row.after) if _is_place(row) else 0,
            )
            for row in wanted
        ],
        quarters_of(duration / timedelta(minutes=1)),
        allowed=allowed,
        limit=limit,
        order=order,
    )
    return [
        Offer(
            grid.moment(one.at),
            grid.moment(one.at) + duration,
            {
                row.name: [tables[chosen.key].resource for chosen in team]  # type: ignore[index]
                for row, team in zip(wanted, one.teams, strict=True)
            },
        )
        for one in found
    ]


def _is_place(row: Wanted) -> bool:
    return any(one.kind in PLACES for one in row.among)


def allowed_starts(
    grid: Grid,
    start: datetime,
    end: datetime,
    clocks: Sequence[time],
    weekdays: Collection[int] | None = None,
) -> int:
    """Return the quarters from `start` on, before `end`, at which the clinic's clocks show one of `clocks`.

    weekdays: only on these days of the week, 0 is Monday; None: on all. When the clocks change: a time that
    they show twice counts the first time only, and one that they skip is the moment at which they go forward.
    """
    bits, day, last = 0, timezone.localdate(start), timezone.localdate(end)
    while day <= last:
        for clock in clocks if weekdays is None or day.weekday() in weekdays else ():
            moment = clock_moment(day, clock)
            if start <= moment < end:
                bits |= grid.touched(moment, moment + QUARTER) if not moment.minute % 15 else 0
        day += timedelta(days=1)
    return bits


def starts_in_season_hours(
    grid: Grid, start: datetime, end: datetime, weekdays: Collection[int] | None = None
) -> int:
    """Return the quarters from `start` on, before `end`, at which a half hour of a season's hours begins.

    weekdays: as for `allowed_starts`.
    """
    first, last = timezone.localdate(start) - timedelta(days=1), timezone.localdate(end)
    bits = 0
    for season in seasons_between(first, last):
        for starts_at, ends_at in season_spans(season, first, last):
            moment = starts_at
            while moment < ends_at:
                on_day = weekdays is None or timezone.localtime(moment).weekday() in weekdays
                if on_day and start <= moment < end:
                    bits |= grid.touched(moment, moment + QUARTER)
                moment += HALF_HOUR
    return bits


def objections_to(
    resources: Sequence[Resource],
    starts_at: datetime,
    ends_at: datetime,
    *,
    night: bool = False,
    exclude: Booking | Sequence[Booking] | None = None,
) -> list[str]:
    """Return what speaks against booking these resources for this span: hours, absences, limits, rest.

    Each objection is a sentence. A clash with another booking is none: nobody can overrule it, and the
    reservations refuse it. exclude: bookings after which nobody has to rest, because they are to be moved.
    """
    tables = load_timetables(resources, Grid.around(starts_at, ends_at), exclude=exclude)
    sentences = [
        sentence
        for resource in resources
        for sentence in tables[resource.pk].objections(starts_at, ends_at, night=night)
    ]
    return list(dict.fromkeys(sentences))  # a closing of the clinic is the same for each resource
