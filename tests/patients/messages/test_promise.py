"""The promised time of an answer: working days, without weekends and days on which the clinic is closed."""

from datetime import date, datetime, time, timedelta

import pytest
from django.utils import timezone, translation

from clinic.availability.models import AvailabilityException
from clinic.availability.timetables import clock_moment
from patients.messages.promise import MAX_DAYS_AHEAD, answer_by, promise_words
from tests.configuration import configure
from tests.factories import make_room, make_user

pytestmark = pytest.mark.django_db


def at(day: str, clock: str = "14:20") -> datetime:
    return clock_moment(date.fromisoformat(day), time.fromisoformat(clock))


def close(first: str, until: str, **more: object) -> None:
    """Close the clinic from the midnight of one day to another time."""
    AvailabilityException.objects.create(
        starts_at=at(first, "00:00"), ends_at=at(until, "00:00"), reason="a test", made_by=make_user(), **more
    )


@pytest.mark.parametrize(
    ("asked", "promised"),
    [
        ("2027-03-02", "2027-03-04"),  # Tuesday, Thursday
        ("2027-03-05", "2027-03-09"),  # Friday, Tuesday
        ("2027-03-06", "2027-03-09"),  # Saturday, Tuesday
        ("2027-03-11", "2027-03-15"),  # over the night in which the clocks change: the same hour
    ],
)
def test_two_working_days_are_counted(asked: str, promised: str) -> None:
    assert answer_by(at(asked)) == at(promised)


def test_days_on_which_the_clinic_is_closed_do_not_count() -> None:
    close("2027-03-03", "2027-03-04")
    close("2027-03-04", "2027-03-06", resource=make_room())  # only a room
    close("2027-03-05", "2027-03-06", ended_at=timezone.now())  # taken back
    assert answer_by(at("2027-03-02")) == at("2027-03-05")


def test_a_closing_of_some_hours_does_not_count() -> None:
    AvailabilityException.objects.create(
        starts_at=at("2027-03-03", "00:00"), ends_at=at("2027-03-03"), reason="a test", made_by=make_user()
    )
    AvailabilityException.objects.create(
        starts_at=at("2027-03-04", "10:00"),
        ends_at=at("2027-03-05", "00:00"),
        reason="a test",
        made_by=make_user(),
    )
    assert answer_by(at("2027-03-02")) == at("2027-03-04")


def test_a_clinic_that_is_closed_for_very_long_promises_the_last_day_that_is_looked_at() -> None:
    close("2027-03-01", "2028-03-01")
    assert answer_by(at("2027-03-02")) == at("2027-03-02") + timedelta(days=MAX_DAYS_AHEAD, hours=-1)


def test_the_setting_is_read_and_put_in_words() -> None:
    assert promise_words() == "We answer within 2 working days."
    configure(message_answer_days=1)
    assert promise_words() == "We answer within 1 working day."
    assert answer_by(at("2027-03-02")) == at("2027-03-03")
    with translation.override("vi"):
        assert promise_words() != "We answer within 1 working day."
