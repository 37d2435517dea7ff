"""Hours over clock changes, midnight and leap days, in three zones; and objections to a time."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.conf import LazySettings
from hypothesis import HealthCheck, example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from clinic.availability.models import AvailabilityException, NightLimits, WorkingHours
from clinic.availability.search import possible_starts, set_bits
from clinic.availability.timetables import Grid, ReservedSpan, Timetable, clock_moment
from clinic.calendar.models import QUARTER, Resource

# New York: the clocks change by an hour at two. Lord Howe: by half an hour. Santiago: at midnight.
ZONES = {
    "America/New_York": [date(2026, 3, 8), date(2026, 11, 1)],
    "Australia/Lord_Howe": [date(2026, 4, 5), date(2026, 10, 4)],
    "America/Santiago": [date(2026, 4, 4), date(2026, 9, 6)],
}
LEAP_DAY = date(2028, 2, 29)
quarters = st.integers(0, 95).map(lambda number: time(number // 4, number % 4 * 15))


@pytest.fixture(params=ZONES)
def zone(request: pytest.FixtureRequest, settings: LazySettings) -> str:
    settings.TIME_ZONE = str(request.param)
    return str(request.param)


def hours(weekday: int, starts: time, ends: time, first: date, last: date | None = None) -> WorkingHours:
    return WorkingHours(weekday=weekday, starts=starts, ends=ends, valid_from=first, valid_until=last)


def model_of_hours(rows: list[WorkingHours], grid: Grid, zone: str) -> set[int]:
    """The quarters that lie in the hours, found by reading a clock on the wall at every quarter.

    Hours begin at the first quarter at which the clock shows their start, or a later time. They end at the
    last quarter at which it shows their end; if it never does, at the first that shows a later time.
    """
    shown_at = {  # what the clock shows, by quarter
        number: grid.moment(number).astimezone(ZoneInfo(zone)).replace(tzinfo=None, fold=0)
        for number in range(-400, grid.size + 400)
    }
    found: set[int] = set()
    first = min(row.valid_from for row in rows)
    found |= {number for number, shown in shown_at.items() if shown < datetime.combine(first, time())}
    days = {shown.date() for shown in shown_at.values()}
    for day in sorted(days)[2:-2]:  # the other days are not read completely
        for row in rows:
            if (
                row.weekday != day.weekday()
                or day < row.valid_from
                or (row.valid_until and day > row.valid_until)
            ):
                continue
            end_day = day if row.ends > row.starts else day + timedelta(days=1)
            begin = min(n for n, shown in shown_at.items() if shown >= datetime.combine(day, row.starts))
            last = datetime.combine(end_day, row.ends)
            showing = [n for n, shown in shown_at.items() if shown == last]
            end = max(showing) if showing else min(n for n, shown in shown_at.items() if shown > last)
            found |= set(range(begin, end))
    return {number for number in found if 0 <= number < grid.size}


@st.composite
def weeks(draw: st.DrawFn) -> tuple[int, list[tuple[int, time, time, int, int | None]]]:
    """Draw which of a zone's days is tried, and hours: weekday, start, end, first and last day.

    These two days are relative to the day that is tried.
    """
    rows = st.tuples(
        st.integers(0, 6), quarters, quarters, st.integers(-3, 2), st.one_of(st.none(), st.integers(2, 4))
    )
    return draw(st.integers(0, 2)), draw(st.lists(rows, min_size=1, max_size=6))


@given(asked=weeks())
@example(asked=(0, [(6, time(1, 30), time(2, 30), -3, None), (5, time(23), time(2, 30), -3, None)]))
@example(asked=(1, [(6, time(1, 30), time(1, 45), -3, None), (5, time(20), time(1, 30), -3, None)]))
@example(asked=(1, [(0, time(0), time(0), 0, None), (5, time(1), time(1), -1, None)]))
@example(asked=(2, [(1, time(0), time(0), -3, None), (0, time(22), time(6), -3, None)]))
@hypothesis_settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_hours_are_those_of_a_clock_on_the_wall(
    zone: str, asked: tuple[int, list[tuple[int, time, time, int, int | None]]]
) -> None:
    number, wanted = asked
    day = [*ZONES[zone], LEAP_DAY][number]
    rows = [
        hours(weekday, starts, ends, day + timedelta(days=first), last and day + timedelta(days=last))
        for weekday, starts, ends, first, last in wanted
    ]
    noon = datetime.combine(day, time(12), tzinfo=UTC)
    grid = Grid.around(noon, noon, timedelta(days=3))
    table = Timetable(Resource(label="Stan"), grid, weekly=rows)
    assert set(set_bits(table.open_bits())) == model_of_hours(rows, grid, zone)


@pytest.mark.parametrize(
    ("zone_name", "day", "quarters_long"),
    [
        ("America/New_York", date(2026, 3, 8), 92),
        ("America/New_York", date(2026, 11, 1), 100),
        ("America/New_York", LEAP_DAY, 96),
        ("Australia/Lord_Howe", date(2026, 4, 5), 98),
        ("Australia/Lord_Howe", date(2026, 10, 4), 94),
        ("America/Santiago", date(2026, 9, 6), 92),
    ],
)
def test_a_day_of_hours_is_as_long_as_the_day(
    settings: LazySettings, zone_name: str, day: date, quarters_long: int
) -> None:
    settings.TIME_ZONE = zone_name
    noon = datetime.combine(day, time(12), tzinfo=UTC)
    grid = Grid.around(noon, noon, timedelta(days=3))
    row = hours(day.weekday(), time(0), time(0), day - timedelta(days=9))
    assert Timetable(Resource(), grid, weekly=[row]).open_bits().bit_count() == quarters_long


def test_a_time_that_the_clocks_leave_out_is_the_moment_at_which_they_change(
    settings: LazySettings,
) -> None:
    settings.TIME_ZONE = "America/New_York"
    change = datetime(2026, 3, 8, 7, tzinfo=UTC)
    for late in (False, True):
        assert clock_moment(date(2026, 3, 8), time(2, 30), late=late) == change
    assert clock_moment(date(2026, 11, 1), time(1, 30)) == datetime(2026, 11, 1, 5, 30, tzinfo=UTC)
    assert clock_moment(date(2026, 11, 1), time(1, 30), late=True) == datetime(2026, 11, 1, 6, 30, tzinfo=UTC)


BASE = datetime(2026, 2, 9, tzinfo=UTC)  # a Monday
GRID = Grid(BASE, 4 * 24 * 7)


def span(start: float, end: float) -> tuple[datetime, datetime]:
    return BASE + timedelta(hours=start), BASE + timedelta(hours=end)


def make_exception(
    start: float, end: float, resource: Resource | None = None, adds: bool = False
) -> AvailabilityException:
    starts_at, ends_at = span(start, end)
    return AvailabilityException(
        resource=resource, adds=adds, starts_at=starts_at, ends_at=ends_at, reason="Tết"
    )


@pytest.fixture
def utc(settings: LazySettings) -> None:
    settings.TIME_ZONE = "UTC"


def open_hours(table: Timetable) -> list[int]:
    """The whole hours that are open."""
    return [hour for hour in range(24 * 7) if table.open_bits() >> 4 * hour & 15 == 15]


@pytest.mark.usefixtures("utc")
def test_an_added_span_overrules_a_closing_and_an_absence_overrules_both() -> None:
    stan = Resource(label="Stan")
    table = Timetable(stan, GRID, weekly=[hours(0, time(9), time(17), date(2026, 1, 1))])
    assert open_hours(table) == list(range(9, 17))
    table.closings = [make_exception(0, 48)]
    assert open_hours(table) == []
    table.added = [make_exception(10, 14, stan, adds=True)]
    assert open_hours(table) == [10, 11, 12, 13]
    table.absences = [make_exception(12, 13, stan)]
    assert open_hours(table) == [10, 11, 13]


@pytest.mark.usefixtures("utc")
def test_without_rows_everything_is_open_and_after_the_last_nothing_is() -> None:
    assert open_hours(Timetable(Resource(), GRID)) == list(range(24 * 7))
    row = hours(0, time(9), time(10), date(2026, 2, 9), date(2026, 2, 9))
    assert open_hours(Timetable(Resource(), GRID, weekly=[row])) == [9]
    later = hours(2, time(9), time(10), date(2026, 2, 10))
    assert open_hours(Timetable(Resource(), GRID, weekly=[later])) == [*range(24), 24 * 2 + 9]


@pytest.mark.usefixtures("utc")
def test_the_objections_to_a_time() -> None:
    stan = Resource(label="Stan", user_id=None, kind=Resource.Kind.TECHNICIAN)
    table = Timetable(stan, GRID, weekly=[hours(0, time(9), time(17), date(2026, 1, 1))])
    table.closings, table.absences = [make_exception(12, 13)], [make_exception(14, 15, stan)]
    table.limits = NightLimits(nights_a_week=1, rest_hours=11)
    night = ReservedSpan(*span(20, 30), date(2026, 2, 9))
    table.reserved = [night, ReservedSpan(*span(61, 62)), ReservedSpan(*span(60, 61))]

    def objections(start: float, end: float, *, night: bool = True) -> str:
        return " ".join(table.objections(*span(start, end), night=night))

    assert objections(9, 10, night=False) == ""
    assert objections(16, 18, night=False) == "Stan has no working hours from 9 Feb, 17:00 to 9 Feb, 18:00."
    assert objections(12, 13, night=False) == "The clinic is closed from 9 Feb, 12:00 to 9 Feb, 13:00: Tết."
    assert objections(14, 15, night=False) == "Stan is away from 9 Feb, 14:00 to 9 Feb, 15:00."
    assert "Stan rests until 10 Feb, 17:00, after a night." in objections(40, 41, night=False)
    assert "rests until" not in objections(41, 42, night=False)
    assert "Stan has as many nights in that week as allowed." in objections(9, 10)
    # The first of two bookings, in whatever order they were loaded.
    again = "Stan needs 11 hours of rest after a night, but is booked again at 11 Feb, 12:00."
    assert again in objections(46, 50)
    room = Timetable(
        Resource(label="Night room", kind=Resource.Kind.ROOM), GRID, absences=[make_exception(1, 2, stan)]
    )
    room.absences[0].resource_id = room.resource.pk
    assert room.objections(*span(1, 2), night=True) == [
        "Night room is out of service from 9 Feb, 01:00 to 9 Feb, 02:00: Tết."
    ]


spans = st.tuples(st.integers(0, 160), st.integers(1, 30)).map(lambda pair: (pair[0], pair[0] + pair[1]))


@given(
    weekly=st.lists(st.tuples(st.integers(0, 6), quarters, quarters), max_size=4),
    closed=st.lists(spans, max_size=2),
    added=st.lists(spans, max_size=2),
    removed=st.lists(spans, max_size=2),
    nights=st.lists(st.tuples(spans, st.booleans()), max_size=3),
    limits=st.tuples(st.one_of(st.none(), st.integers(1, 2)), st.one_of(st.none(), st.integers(0, 20))),
    night=st.booleans(),
    asked=st.tuples(st.integers(4 * 24, 4 * 24 * 6), st.integers(1, 40)),
)
@pytest.mark.usefixtures("utc")
@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_start_is_possible_exactly_if_it_would_be_accepted(
    weekly: list[tuple[int, time, time]],
    closed: list[tuple[int, int]],
    added: list[tuple[int, int]],
    removed: list[tuple[int, int]],
    nights: list[tuple[tuple[int, int], bool]],
    limits: tuple[int | None, int | None],
    night: bool,
    asked: tuple[int, int],
) -> None:
    """A quarter is a possible start exactly if there is no objection to it and nothing else is booked."""
    stan = Resource(label="Stan")
    table = Timetable(
        stan,
        GRID,
        weekly=[hours(*row, date(2026, 1, 1)) for row in weekly],
        closings=[make_exception(*one) for one in closed],
        added=[make_exception(*one, stan, adds=True) for one in added],
        absences=[make_exception(*one, stan) for one in removed],
        reserved=[
            ReservedSpan(*span(*one), (BASE + timedelta(hours=one[0])).date() if is_night else None)
            for one, is_night in nights
        ],
        limits=NightLimits(nights_a_week=limits[0], rest_hours=limits[1]),
    )
    at, length = asked
    starts_at, ends_at = GRID.moment(at), GRID.moment(at + length)
    clash = any(one.starts_at < ends_at and one.ends_at > starts_at for one in table.reserved)
    accepted = not clash and not table.objections(starts_at, ends_at, night=night)
    # The rest of a night may reach beyond this grid.
    if ends_at + table.rest <= GRID.end:
        assert bool(possible_starts(table.bookable_quarters(night=night), length) >> at & 1) == accepted
    assert QUARTER * length == ends_at - starts_at
