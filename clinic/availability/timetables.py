"""Loads the times at which resources can be booked: as bitmaps for the search, in sentences for a refusal.

A bitmap is an integer with one bit for each quarter of an hour of a `Grid`. Weekly hours, exceptions, limits,
extra hours of seasons and bookings are read with one query each, for any number of resources.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import lru_cache
from uuid import UUID

from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from clinic.availability.models import AvailabilityException, NightLimits, WorkingHours
from clinic.availability.search import BookableQuarters, set_bits
from clinic.calendar.bookings import with_other_roles
from clinic.calendar.durations import format_moment
from clinic.calendar.models import PLACES, QUARTER, Booking, Resource
from clinic.seasons.agreements import agreements_in_span
from clinic.seasons.models import Season

# Every night and every appointment is shorter than this. So a booking that overlaps a span begins at most
# this long before the span.
LOOK_BACK = timedelta(days=2)
WEEK = timedelta(days=7)


@dataclass(frozen=True)
class Grid:
    """Numbered quarters of an hour, in UTC. Quarter 0 begins at `base`. size: how many there are."""

    base: datetime
    size: int

    @classmethod
    def around(cls, start: datetime, end: datetime, margin: timedelta = timedelta(days=4)) -> "Grid":
        """Return the grid over a span and a margin on both sides, for buffers and rest."""
        base = _floor(start - margin)
        return cls(base, quarters_rounded_up(end + margin - base))

    @property
    def end(self) -> datetime:
        return self.base + self.size * QUARTER

    def moment(self, quarter: int) -> datetime:
        """Return the start of a quarter."""
        return self.base + quarter * QUARTER

    def inside(self, start: datetime, end: datetime) -> int:
        """Return the bitmap of the quarters that lie wholly in a span."""
        return self._between(quarters_rounded_up(start - self.base), (end - self.base) // QUARTER)

    def touched(self, start: datetime, end: datetime) -> int:
        """Return the bitmap of the quarters that a span overlaps, also in part."""
        return self._between((start - self.base) // QUARTER, quarters_rounded_up(end - self.base))

    def _between(self, first: int, stop: int) -> int:
        first, stop = max(first, 0), min(stop, self.size)
        return ((1 << (stop - first)) - 1) << first if stop > first else 0

    @property
    def all(self) -> int:
        """The bitmap of all quarters."""
        return (1 << self.size) - 1


def quarters_rounded_up(length: timedelta) -> int:
    """Return a length in quarters of an hour, rounded up."""
    return -(-length // QUARTER)


def _floor(moment: datetime) -> datetime:
    """Return the start (UTC) of the quarter of an hour in which `moment` lies."""
    at = moment.astimezone(UTC)
    return at - timedelta(minutes=at.minute % 15, seconds=at.second, microseconds=at.microsecond)


def clock_moment(day: date, clock: time, *, late: bool = False) -> datetime:
    """Return the moment (UTC) at which the clinic's clocks reach `clock` on `day`.

    If the clocks show this time twice: the first moment, or with `late` the second. If they skip it: the
    moment at which they go forward.
    """
    return _clock_moment(timezone.get_default_timezone(), day, clock, late)


# Many people have the same hours: 90 days of 40 people took 60 ms without this cache, and take 15 ms with it.
@lru_cache(maxsize=8192)
def _clock_moment(zone: tzinfo, day: date, clock: time, late: bool) -> datetime:
    local = datetime.combine(day, clock, tzinfo=zone)
    earlier, later = local.astimezone(UTC), local.replace(fold=1).astimezone(UTC)
    if later < earlier:  # the clocks skip this time, and go forward between the two
        moment, offset = later, later.astimezone(zone).utcoffset()
        while moment.astimezone(zone).utcoffset() == offset:
            moment += timedelta(minutes=1)
        return moment
    return later if late else earlier


def weekly_span(hours: WorkingHours, day: date) -> tuple[datetime, datetime]:
    """Return the start and the end (UTC) of these weekly hours on `day`."""
    ends_on = day if hours.ends > hours.starts else day + timedelta(days=1)
    return clock_moment(day, hours.starts), clock_moment(ends_on, hours.ends, late=True)


def season_spans(season: Season, first: date, last: date) -> list[tuple[datetime, datetime]]:
    """Return the extra hours of a season on its days from `first` to `last`, as starts and ends (UTC)."""
    starts, ends = season.extra_starts, season.extra_ends
    if starts is None or ends is None:
        return []
    spans, day, last_day = [], max(first, season.first), min(last, season.last)
    while day <= last_day:
        if str(day.weekday()) in season.extra_days:
            ends_on = day if ends > starts else day + timedelta(days=1)
            spans.append((clock_moment(day, starts), clock_moment(ends_on, ends, late=True)))
        day += timedelta(days=1)
    return spans


@dataclass(frozen=True)
class ReservedSpan:
    """A span in which a resource is reserved. The span of a room or a kit includes the booking's buffers.

    night_of: the day on which the night begins; None if the booking is no night.
    """

    starts_at: datetime
    ends_at: datetime
    night_of: date | None = None


@dataclass
class Timetable:
    """What decides when one resource can be booked.

    weekly: its weekly hours. season_hours: the extra hours of seasons to which it agreed. closings: the
    exceptions of the whole clinic. added, absences: its own, in which it can, or cannot, be booked.
    """

    resource: Resource
    grid: Grid
    weekly: list[WorkingHours] = field(default_factory=list)
    closings: list[AvailabilityException] = field(default_factory=list)
    added: list[AvailabilityException] = field(default_factory=list)
    absences: list[AvailabilityException] = field(default_factory=list)
    reserved: list[ReservedSpan] = field(default_factory=list)
    limits: NightLimits | None = None
    season_hours: list[tuple[datetime, datetime]] = field(default_factory=list)

    @property
    def rest(self) -> timedelta:
        """How long this person rests after a night; no time without a limit."""
        return timedelta(hours=(self.limits.rest_hours or 0) if self.limits else 0)

    def weekly_bits(self) -> int:
        """Return the bitmap of the weekly hours, and of the extra hours of seasons.

        A resource without weekly hours is always open, and so is one before its first hours become valid.
        """
        if not self.weekly:
            return self.grid.all
        first = min(row.valid_from for row in self.weekly)
        bits = self.grid.inside(self.grid.base, clock_moment(first, time(0)))
        by_weekday: dict[int, list[WorkingHours]] = {}
        for row in self.weekly:
            by_weekday.setdefault(row.weekday, []).append(row)
        # The day before the grid counts too, because its hours may pass midnight.
        day = max(first, timezone.localdate(self.grid.base) - timedelta(days=1))
        last = timezone.localdate(self.grid.end)
        while day <= last:
            for row in by_weekday.get(day.weekday(), ()):
                if row.valid_from <= day and (row.valid_until is None or day <= row.valid_until):
                    bits |= self.grid.inside(*weekly_span(row, day))
            day += timedelta(days=1)
        for span in self.season_hours:
            bits |= self.grid.inside(*span)
        return bits

    def open_bits(self) -> int:
        """Return the bitmap of `weekly_bits`, less the closings, plus the added spans, less the absences."""
        bits = self.weekly_bits()
        for row in self.closings:
            bits &= ~self.grid.touched(row.starts_at, row.ends_at)
        bits |= self.added_bits()
        for row in self.absences:
            bits &= ~self.grid.touched(row.starts_at, row.ends_at)
        return bits

    def added_bits(self) -> int:
        """Return the bitmap of the added spans."""
        bits = 0
        for row in self.added:
            bits |= self.grid.inside(row.starts_at, row.ends_at)
        return bits

    def unbooked_bits(self) -> int:
        """Return the bitmap of the quarters without a booking, and without rest after a night."""
        bits = self.grid.all
        for one in self.reserved:
            rest = self.rest if one.night_of else timedelta()
            bits &= ~self.grid.touched(one.starts_at, one.ends_at + rest)
        return bits

    def full_weeks(self) -> set[date]:
        """Return the Mondays of the weeks in which this person has as many nights as allowed."""
        if self.limits is None or self.limits.nights_a_week is None:
            return set()
        nights = Counter(_monday(one.night_of) for one in self.reserved if one.night_of)
        return {monday for monday, count in nights.items() if count >= self.limits.nights_a_week}

    def bookable_quarters(self, *, night: bool) -> BookableQuarters:
        """Return the bitmaps for the search. night: the booking is a night, so the limits on nights count."""
        allowed_starts = self.grid.all
        for monday in self.full_weeks() if night else ():
            week = (clock_moment(monday, time(0)), clock_moment(monday + WEEK, time(0)))
            allowed_starts &= ~self.grid.inside(*week)
        rest = quarters_rounded_up(self.rest) if night else 0
        return BookableQuarters(self.open_bits(), self.unbooked_bits(), allowed_starts, rest)

    def nights_in_month(self, moment: datetime) -> int:
        """Return how many nights of this person, of those that are loaded, are in the month of `moment`."""
        month = timezone.localtime(moment).date().replace(day=1)
        return sum(1 for one in self.reserved if one.night_of and one.night_of.replace(day=1) == month)

    def objections(self, starts_at: datetime, ends_at: datetime, *, night: bool) -> list[str]:
        """Return a sentence for each reason against this span: hours, absences, rest and limits.

        Other bookings that overlap the span are no objection here.
        """
        wanted = self.grid.touched(starts_at, ends_at)
        name = self.resource.label
        found = []
        for row in [*self.closings, *self.absences]:
            # An added span overrules a closing of the clinic, but no absence.
            open_anyway = self.added_bits() if row.resource_id is None else 0
            if wanted & self.grid.touched(row.starts_at, row.ends_at) & ~open_anyway:
                found.append(self._absence_sentence(row))
        if missing := wanted & ~(self.weekly_bits() | self.added_bits()):
            found.append(
                _("%(name)s has no working hours from %(start)s to %(end)s.")
                % {"name": name, **self._first_span(missing)}
            )
        found += self._rest_before(starts_at)
        if night:
            found += [*self._rest_after(ends_at), *self._too_many_nights(starts_at)]
        return found

    def _first_span(self, bits: int) -> dict[str, str]:
        """Return the start and end, in words, of the first span of set bits. There is at least one."""
        start = next(set_bits(bits))
        end = start
        while bits >> end & 1:
            end += 1
        return {"start": format_moment(self.grid.moment(start)), "end": format_moment(self.grid.moment(end))}

    def _absence_sentence(self, row: AvailabilityException) -> str:
        span = {
            "start": format_moment(row.starts_at),
            "end": format_moment(row.ends_at),
            "reason": row.reason,
        }
        if row.resource_id is None:
            return _("The clinic is closed from %(start)s to %(end)s: %(reason)s.") % span
        if self.resource.kind in PLACES:
            sentence = _("%(name)s is out of service from %(start)s to %(end)s: %(reason)s.")
            return sentence % {**span, "name": self.resource.label}
        # The reason is shown only to staff who manage working hours.
        return _("%(name)s is away from %(start)s to %(end)s.") % {**span, "name": self.resource.label}

    def _rest_before(self, starts_at: datetime) -> list[str]:
        return [
            _("%(name)s rests until %(end)s, after a night.")
            % {"name": self.resource.label, "end": format_moment(one.ends_at + self.rest)}
            for one in self.reserved
            if one.night_of and one.ends_at <= starts_at < one.ends_at + self.rest
        ]

    def _rest_after(self, ends_at: datetime) -> list[str]:
        until = ends_at + self.rest
        return [
            _("%(name)s needs %(hours)d hours of rest after a night, but is booked again at %(start)s.")
            % {
                "name": self.resource.label,
                "start": format_moment(one.starts_at),
                "hours": self.rest // timedelta(hours=1),
            }
            for one in sorted(self.reserved, key=lambda one: one.starts_at)
            if ends_at <= one.starts_at < until
        ][:1]

    def _too_many_nights(self, starts_at: datetime) -> list[str]:
        if _monday(timezone.localdate(starts_at)) not in self.full_weeks():
            return []
        return [_("%(name)s has as many nights in that week as allowed.") % {"name": self.resource.label}]


def _monday(day: date) -> date:
    return day - timedelta(days=day.weekday())


def load_timetables(
    resources: Sequence[Resource], grid: Grid, *, exclude: Booking | Sequence[Booking] | None = None
) -> dict[UUID, Timetable]:
    """Return the timetable of each resource by its id. exclude: bookings that do not count.

    Somebody with two roles has two resources. Hours, absences, limits and bookings of either apply to both.
    """
    all_resources = with_other_roles(resources)
    by_holder: dict[UUID, list[Timetable]] = {}
    tables = {one.pk: Timetable(one, grid) for one in resources}
    for one in resources:
        by_holder.setdefault(holder_of(one), []).append(tables[one.pk])
    # By each resource of the same people: the timetables to which its rows apply.
    tables_of = {one.pk: by_holder[holder_of(one)] for one in all_resources}
    for hours in WorkingHours.objects.filter(resource__in=tables_of):
        for table in tables_of[hours.resource_id]:
            table.weekly.append(hours)
    for row in exceptions_in(grid.base, grid.end).filter(Q(resource__in=tables_of) | Q(resource=None)):
        for table in tables.values() if row.resource_id is None else tables_of[row.resource_id]:
            if row.resource_id is None:
                table.closings.append(row)
            else:
                (table.added if row.adds else table.absences).append(row)
    for limits in NightLimits.objects.filter(resource__in=tables_of):
        for table in tables_of[limits.resource_id]:
            table.limits = limits
    first, last = timezone.localdate(grid.base) - timedelta(days=1), timezone.localdate(grid.end)
    for agreement in agreements_in_span(tables_of.keys(), first, last):
        for table in tables_of[agreement.resource_id]:
            table.season_hours += season_spans(agreement.season, first, last)
    _load_bookings(tables_of, grid, exclude)
    return tables


def holder_of(resource: Resource) -> UUID:
    """Return the user's id, the same for all resources of one person; for a place the id of the resource."""
    return resource.user_id or resource.pk


def exceptions_in(start: datetime, end: datetime) -> QuerySet[AvailabilityException]:
    """Return the exceptions that overlap a span and were not taken back, in order of time."""
    rows = AvailabilityException.objects.filter(ended_at=None, starts_at__lt=end, ends_at__gt=start)
    return rows.order_by("starts_at", "pk")


def _load_bookings(
    tables_of: dict[UUID, list[Timetable]], grid: Grid, exclude: Booking | Sequence[Booking] | None
) -> None:
    """Put the bookings of the grid into the timetables, as spans, with one query."""
    excluded = [exclude] if isinstance(exclude, Booking) else exclude or []
    rows = (
        Booking.resources.through.objects.filter(
            resource__in=tables_of,
            booking__in=Booking.objects.in_force().filter(
                # A week more on both sides, because the nights of a week are counted.
                starts_at__gt=grid.base - WEEK - LOOK_BACK,
                starts_at__lt=grid.end + WEEK,
            ),
        )
        .exclude(booking__in=excluded)
        .values_list(
            "resource_id",
            "resource__kind",
            "booking__kind",
            "booking__starts_at",
            "booking__ends_at",
            "booking__released_at",
            "booking__buffer_before",
            "booking__buffer_after",
        )
    )
    for resource, resource_kind, kind, starts_at, ends_at, released_at, before, after in rows:
        until = min(ends_at, released_at) if released_at else ends_at
        if until <= starts_at:
            continue
        night_of = timezone.localdate(starts_at) if kind == Booking.Kind.ERASURE else None
        buffers = (before, after) if resource_kind in PLACES else (0, 0)
        buffer_before, buffer_after = (timedelta(minutes=minutes) for minutes in buffers)
        reserved = ReservedSpan(starts_at - buffer_before, until + buffer_after, night_of)
        for table in tables_of[resource]:
            table.reserved.append(reserved)
