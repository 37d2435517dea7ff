"""The extra hours of a season in the offers of times and in the objections to a chosen time."""

from datetime import date, datetime, time, timedelta

import pytest
from django.utils import timezone

from clinic.accounts.models import Role, User
from clinic.availability.changes import add_exception, change_week
from clinic.availability.offers import Wanted, next_offers, objections_to
from clinic.availability.timetables import clock_moment
from clinic.calendar.models import Resource
from clinic.seasons.agreements import agree_to
from clinic.seasons.changes import SeasonValues, end_season, make_season
from clinic.seasons.models import Season
from tests.factories import make_technician, make_user

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)
EVERY_DAY = "0123456"


def first() -> date:
    """The first day of the season."""
    return timezone.localdate() + 3 * DAY


@pytest.fixture
def stan() -> User:
    """A technician who works every day from 9 to 17."""
    user = make_technician()
    week = {weekday: [(time(9), time(17))] for weekday in range(7)}
    change_week(seat(user), week, valid_from=timezone.localdate(), reason="r", by=user)
    return user


def seat(user: User) -> Resource:
    return user.resources.get()


def make(days: str = EVERY_DAY) -> Season:
    """A season of three days with extra hours at night on these weekdays."""
    hours = {"extra_days": days, "extra_starts": time(20), "extra_ends": time(6)}
    values = SeasonValues("Valentine", first(), first() + 2 * DAY, **hours)
    return make_season(values, reason="r", by=make_user(Role.ADMINISTRATOR))


def offered_nights(user: User) -> list[date]:
    """The days on which a night from 20 to 6 is offered with this technician."""
    wanted = [Wanted("technicians", 1, [seat(user)])]
    start = clock_moment(timezone.localdate() + DAY, time(0))
    offers = next_offers(wanted, timedelta(hours=10), start=start, clocks=[time(20)], night=True)
    return [timezone.localdate(offer.starts_at) for offer in offers]


def night_of(day: date) -> tuple[datetime, datetime]:
    return clock_moment(day, time(20)), clock_moment(day + DAY, time(6))


def test_nights_are_offered_in_the_season_with_whoever_agreed(stan: User) -> None:
    season = make()
    assert offered_nights(stan) == []
    agree_to(season, agrees=True, seen_version=1, by=stan)
    assert offered_nights(stan) == [first(), first() + DAY, first() + 2 * DAY]
    assert objections_to([seat(stan)], *night_of(first()), night=True) == []
    assert "has no working hours" in objections_to([seat(stan)], *night_of(first() - DAY), night=True)[0]
    agree_to(season, agrees=False, seen_version=1, by=stan)
    assert offered_nights(stan) == []


def test_only_the_chosen_weekdays_are_open(stan: User) -> None:
    season = make(str((first() + DAY).weekday()))
    agree_to(season, agrees=True, seen_version=1, by=stan)
    assert offered_nights(stan) == [first() + DAY]


def test_closings_and_absences_win_over_extra_hours(stan: User) -> None:
    agree_to(make(), agrees=True, seen_version=1, by=stan)
    for resource, day in ((None, first()), (seat(stan), first() + DAY)):
        starts, ends = night_of(day)
        add_exception(resource, adds=False, starts_at=starts, ends_at=ends, reason="r", by=stan)
    assert offered_nights(stan) == [first() + 2 * DAY]


def test_a_season_that_is_given_up_opens_nothing(stan: User) -> None:
    season = make()
    agree_to(season, agrees=True, seen_version=1, by=stan)
    end_season(season, reason="r", by=make_user(Role.ADMINISTRATOR))
    assert offered_nights(stan) == []


def test_appointments_are_offered_at_the_half_hours_of_extra_hours(stan: User) -> None:
    agree_to(make(str(first().weekday())), agrees=True, seen_version=1, by=stan)
    wanted = [Wanted("technicians", 1, [seat(stan)])]
    how = {"start": clock_moment(first(), time(18)), "clocks": [time(9)], "limit": 4}
    found = next_offers(wanted, timedelta(minutes=30), in_extra_hours=True, **how)
    assert [timezone.localtime(one.starts_at).strftime("%H:%M") for one in found] == [
        *("20:00", "20:30", "21:00", "21:30")
    ]
    without = next_offers(wanted, timedelta(minutes=30), **how)
    assert timezone.localdate(without[0].starts_at) == first() + DAY
