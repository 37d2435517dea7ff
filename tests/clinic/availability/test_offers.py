"""The next free times, from the hours, absences and bookings in the database."""

from datetime import UTC, datetime, time, timedelta

import pytest
from django.conf import LazySettings
from django.db import connection
from django.test.utils import CaptureQueriesContext

from clinic.accounts.models import Role, User
from clinic.availability.changes import add_exception, change_limits, change_week
from clinic.availability.models import WorkingHours
from clinic.availability.offers import Offer, Wanted, next_offers, objections_to
from clinic.calendar.bookings import book, cancel, release
from clinic.calendar.models import Booking, Resource
from tests.factories import make_doctor, make_room, make_technician, make_user

pytestmark = pytest.mark.django_db
START = datetime(2031, 2, 10, tzinfo=UTC)  # a Monday
HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def _utc(settings: LazySettings) -> None:
    settings.TIME_ZONE = "UTC"


@pytest.fixture
def by() -> User:
    return make_user(Role.RECEPTIONIST)


def technician() -> Resource:
    return make_technician().resources.get()


def reserve(hour: float, lasts: float, *resources: Resource, kind: str = "visit", **more: object) -> Booking:
    starts_at = START + hour * HOUR
    return book(
        kind=kind,
        resources=resources,
        starts_at=starts_at,
        ends_at=starts_at + lasts * HOUR,
        by=make_user(),
        **more,  # type: ignore[arg-type]
    )


def offers(*wanted: Wanted, hours: float = 1, clocks: tuple[int, ...] = (9,), **more: object) -> list[Offer]:
    more = {"start": START, "limit": 3, **more}
    return next_offers(wanted, hours * HOUR, clocks=[time(hour) for hour in clocks], **more)  # type: ignore[arg-type]


def times(found: list[Offer]) -> list[float]:
    """Return when the offers begin, in hours after START."""
    return [(one.starts_at - START) / HOUR for one in found]


def test_hours_absences_closings_and_bookings_are_left_out(by: User) -> None:
    stan = technician()
    week = {weekday: [(time(9), time(17))] for weekday in range(5)}
    change_week(stan, week, valid_from=START.date(), reason="contract", by=by)
    reserve(9, 1, stan)
    add_exception(
        stan, adds=False, starts_at=START + 24 * HOUR, ends_at=START + 48 * HOUR, reason="ill", by=by
    )
    add_exception(
        None, adds=False, starts_at=START + 48 * HOUR, ends_at=START + 60 * HOUR, reason="Tết", by=by
    )
    # Thursday, Friday, and the next Monday, because Stan does not work at weekends.
    assert times(offers(Wanted("who", 1, [stan]))) == [24 * 3 + 9, 24 * 4 + 9, 24 * 7 + 9]


def test_canceled_released_and_expired_bookings_are_free() -> None:
    stan = technician()
    cancel(reserve(9, 1, stan))
    Booking.objects.filter(pk=reserve(24 + 9, 1, stan).pk).update(released_at=START)
    reserve(48 + 9, 1, stan, held_until=datetime(2020, 1, 1, tzinfo=UTC))
    reserve(72 + 9, 1, stan, held_until=START)
    assert times(offers(Wanted("who", 1, [stan]), limit=4)) == [9, 24 + 9, 48 + 9, 24 * 4 + 9]


def test_a_room_is_reserved_with_its_buffers_and_people_are_not() -> None:
    stan, room = technician(), make_room()
    booked = reserve(10, 2, stan, room, buffers=(30, 60))
    clocks = (8, 9, 12, 13)
    assert times(offers(Wanted("who", 1, [stan]), clocks=clocks)) == [8, 9, 12]
    assert times(offers(Wanted("where", 1, [room]), clocks=clocks)) == [8, 13, 24 + 8]
    # The buffer of the new booking must not overlap the other booking either.
    assert times(offers(Wanted("where", 1, [room], 0, 60), clocks=clocks)) == [13, 24 + 8, 24 + 9]
    assert times(offers(Wanted("where", 1, [room]), clocks=clocks, exclude=booked)) == [8, 9, 12]


def test_limits_on_nights_count_for_nights_only(by: User) -> None:
    stan = technician()
    change_limits(stan, nights_a_week=1, rest_hours=11, by=by)
    reserve(20, 10, stan, kind="erasure")  # until 6 on Tuesday; he rests until 17
    reserve(24 * 9 + 12, 1, stan)  # on Wednesday of the next week at 12
    day = offers(Wanted("who", 1, [stan]), clocks=(16, 17), start=START + 24 * HOUR, limit=1)
    assert times(day) == [24 + 17]
    night = offers(Wanted("who", 1, [stan]), clocks=(20,), hours=10, night=True, limit=2)
    # Next Monday; not Tuesday, because he would have six hours of rest before Wednesday at 12.
    assert times(night) == [24 * 7 + 20, 24 * 9 + 20]


def test_people_are_chosen_by_fewest_nights_then_by_knowing_the_patient_then_by_name() -> None:
    people = [technician() for _ in range(3)]
    for number, one in enumerate(people):
        Resource.objects.filter(pk=one.pk).update(label=f"T{number}")
        one.refresh_from_db()
    wanted = Wanted("who", 2, people)
    assert offers(wanted)[0].resources == people[:2]
    reserve(24 * 3 + 20, 10, people[0], kind="erasure")
    assert offers(wanted)[0].resources == people[1:]
    assert people[2].user_id
    assert offers(wanted, knows={people[2].user_id})[0].resources == [people[2], people[1]]
    reserve(24 * 30 + 20, 10, people[1], kind="erasure")  # in March: another month
    assert offers(wanted)[0].resources == people[1:]


def test_somebody_with_two_roles_is_one_person(by: User) -> None:
    person = make_user(Role.DOCTOR, Role.TECHNICIAN)
    as_doctor = Resource.objects.create(kind="doctor", label=person.name, user=person)
    as_technician = Resource.objects.create(kind="technician", label=person.name, user=person)
    other = technician()
    found = offers(
        Wanted("doctor", 1, [as_doctor]), Wanted("technicians", 1, [as_technician, other]), limit=1
    )
    assert found[0].resources == [as_doctor, other]
    assert offers(Wanted("doctor", 1, [as_doctor]), Wanted("technicians", 1, [as_technician])) == []
    reserve(9, 1, as_technician)
    change_week(as_technician, {1: [(time(9), time(10))]}, valid_from=START.date(), reason="contract", by=by)
    assert times(offers(Wanted("doctor", 1, [as_doctor]), limit=2)) == [24 + 9, 24 * 8 + 9]
    assert objections_to([as_doctor], START + 11 * HOUR, START + 12 * HOUR) == [
        f"{person.name} has no working hours from 10 Feb, 11:00 to 10 Feb, 12:00."
    ]


def test_a_released_booking_frees_people_at_once_and_a_room_after_its_buffer() -> None:
    now = datetime.now(UTC)
    stan, room = technician(), make_room()
    booked = book(
        kind="visit",
        resources=[stan, room],
        starts_at=now - HOUR,
        ends_at=now + 3 * HOUR,
        by=make_user(),
        buffers=(0, 60),
    )
    release(booked.pk)
    soon = now + timedelta(minutes=20)
    next_booking = {"kind": "visit", "by": make_user(), "starts_at": soon, "ends_at": soon + HOUR}
    assert book(resources=[stan], **next_booking)  # type: ignore[arg-type]
    rows = booked.reservations.filter(resource=room, quarter__gt=now)
    assert 3 <= rows.count() <= 4
    assert not booked.reservations.filter(resource=stan, quarter__gt=now).exists()


def test_a_night_over_a_change_of_clocks_keeps_its_length(settings: LazySettings) -> None:
    settings.TIME_ZONE = "America/New_York"
    start = datetime(2031, 3, 8, tzinfo=UTC)  # the clocks go forward on the 9th
    found = next_offers(
        [Wanted("who", 1, [technician()])], 10 * HOUR, start=start, clocks=[time(20)], limit=3
    )
    assert [(one.starts_at.hour, one.ends_at - one.starts_at) for one in found] == [
        (1, 10 * HOUR),
        (1, 10 * HOUR),
        (0, 10 * HOUR),
    ]


def test_the_number_of_queries_does_not_grow_with_people_and_bookings(by: User) -> None:
    def count(people: list[Resource]) -> int:
        with CaptureQueriesContext(connection) as queries:
            assert offers(Wanted("who", 1, people))
        return len(queries)

    people = [technician()]
    alone = count(people)
    for number in range(3):
        people += [technician(), make_doctor().resources.get()]
        reserve(10 + number, 1, *people)
        change_week(people[-1], {0: [(time(9), time(17))]}, valid_from=START.date(), reason="new", by=by)
    assert WorkingHours.objects.count() == 3
    assert count(people) == alone
