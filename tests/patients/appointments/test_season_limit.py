"""The number of appointments of one patient in a season: when they are held, booked, moved and offered."""

from datetime import datetime, time, timedelta

import pytest
from django.utils import timezone

from clinic.accounts.models import Role
from clinic.availability.timetables import clock_moment
from clinic.calendar.models import Booking
from clinic.seasons.changes import SeasonValues, make_season
from patients.appointments.booking import (
    CannotBook,
    book_appointment,
    cancel_appointment,
    hold_appointment,
    move_appointment,
)
from patients.appointments.models import Appointment
from patients.appointments.offers import offered_times
from patients.cases.models import Case
from tests.appointments import make_appointment, make_held, make_team, make_template
from tests.factories import make_case, make_user

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)
REFUSED = "In the season “Valentine” a patient has at most 1 appointment, and this patient has 1."


@pytest.fixture(autouse=True)
def season() -> None:
    today = timezone.localdate()
    values = SeasonValues("Valentine", today + 5 * DAY, today + 20 * DAY, appointments_per_patient=1)
    make_season(values, reason="r", by=make_user(Role.ADMINISTRATOR))


@pytest.fixture
def case() -> Case:
    return make_case()


def on(days: int) -> datetime:
    return clock_moment(timezone.localdate() + days * DAY, time(10))


def test_one_more_in_the_season_is_refused_and_one_outside_is_not(case: Case) -> None:
    make_appointment(case, starts_at=on(6))
    with pytest.raises(CannotBook) as refusal:
        make_held(case, starts_at=on(10))
    assert refusal.value.sentences == [REFUSED]
    assert Booking.objects.count() == 1
    make_appointment(case, starts_at=on(21))
    make_appointment(make_case(), starts_at=on(10))


def test_follow_ups_are_never_limited_and_do_not_count(case: Case) -> None:
    make_appointment(case, starts_at=on(6), name="After", kind="follow-up")
    make_appointment(case, starts_at=on(7), name="After", kind="follow-up")
    assert make_appointment(case, starts_at=on(10)).status == Appointment.Status.BOOKED


def test_a_canceled_one_gives_its_place_back(case: Case) -> None:
    appointment = make_appointment(case, starts_at=on(6))
    cancel_appointment(appointment, reason="staff", by=make_user(Role.RECEPTIONIST))
    assert make_appointment(case, starts_at=on(10)).status == Appointment.Status.BOOKED


def test_moving_into_a_full_season_is_refused_and_within_it_is_not(case: Case) -> None:
    within, outside = make_appointment(case, starts_at=on(6)), make_appointment(case, starts_at=on(21))

    def move(appointment: Appointment, days: int) -> Appointment:
        return move_appointment(
            appointment,
            starts_at=on(days),
            ends_at=on(days) + timedelta(minutes=30),
            expected_start=appointment.booking.starts_at,
            reason="staff",
            by=make_user(Role.RECEPTIONIST),
        )

    with pytest.raises(CannotBook, match="at most 1 appointment"):
        move(outside, 10)
    outside.refresh_from_db()
    assert outside.booking.starts_at == on(21)
    assert move(within, 11).booking.starts_at == on(11)


def test_a_hold_that_expired_is_counted_again_when_it_is_booked(case: Case) -> None:
    one, by = make_held(case, starts_at=on(6)), make_user(Role.RECEPTIONIST)
    Booking.objects.filter(pk=one.booking_id).update(held_until=timezone.now() - DAY)
    other = hold_appointment(case, make_template(), resources=make_team(), starts_at=on(10), by=by)
    book_appointment(other, by=by)
    with pytest.raises(CannotBook, match="at most 1 appointment"):
        book_appointment(one, by=by)


def test_days_of_a_full_season_are_not_offered(case: Case) -> None:
    template, team = make_template(), make_team()

    def days() -> set[int]:
        found = [offered_times(case, template, team, start=on(number))[0] for number in (4, 6, 20)]
        return {(timezone.localdate(one.starts_at) - timezone.localdate()).days for one in found}

    assert days() == {4, 6, 20}
    make_appointment(case, starts_at=on(7))
    assert days() == {4, 21}
