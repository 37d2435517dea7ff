"""Changing hours, absences and limits: what is refused, and what stays as it was."""

from datetime import date, datetime, time, timedelta
from uuid import uuid4

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from clinic.accounts.models import Role, User
from clinic.audit.models import Entry
from clinic.availability.changes import (
    ChangeRefused,
    add_exception,
    change_limits,
    change_week,
    end_exception,
    limits_of,
    lock_resource,
    week_on,
    weekly_hours_of,
)
from clinic.availability.models import AvailabilityException, NightLimits, WorkingHours
from clinic.calendar.models import Resource
from tests.factories import make_room, make_technician, make_user

pytestmark = pytest.mark.django_db
NINE_TO_FIVE = [(time(9), time(17))]


@pytest.fixture
def by() -> User:
    return make_user(Role.RECEPTIONIST)


@pytest.fixture
def stan() -> Resource:
    return make_technician().resources.get()


def today() -> date:
    return timezone.localdate()


def hours_on(resource: Resource, day: date) -> list[str]:
    """Return the weekly hours that are valid on a day, each with its weekday."""
    week = week_on(weekly_hours_of(resource), day)
    return [f"{weekday} {row}" for weekday, rows in week.items() for row in rows]


def test_new_hours_close_the_old_ones_and_the_past_stays(stan: Resource, by: User) -> None:
    soon, later = today() + timedelta(days=7), today() + timedelta(days=14)
    change_week(stan, {0: NINE_TO_FIVE, 1: NINE_TO_FIVE}, valid_from=today(), reason="contract", by=by)
    change_week(stan, {0: [(time(10), time(12))]}, valid_from=later, reason="parental leave", by=by)
    assert hours_on(stan, soon) == ["0 09:00–17:00", "1 09:00–17:00"]
    assert hours_on(stan, later - timedelta(days=1)) == ["0 09:00–17:00", "1 09:00–17:00"]
    assert hours_on(stan, later) == ["0 10:00–12:00"]
    # A change from an earlier day replaces the later one, which was never valid.
    change_week(stan, {5: NINE_TO_FIVE}, valid_from=soon, reason="weekends", by=by)
    assert hours_on(stan, soon) == hours_on(stan, later) == ["5 09:00–17:00"]
    assert hours_on(stan, soon - timedelta(days=1)) == ["0 09:00–17:00", "1 09:00–17:00"]
    entry = Entry.objects.filter(action="hours.changed").latest("index")
    assert entry.reason == "weekends"
    assert entry.actor == f"user:{by.pk}"
    assert entry.details == {
        "valid": soon.isoformat(),
        "mo_before": "0900-1700",
        "mo": "none",
        "tu_before": "0900-1700",
        "tu": "none",
        "sa_before": "none",
        "sa": "0900-1700",
    }


def test_hours_of_yesterday_and_an_empty_week_are_refused(stan: Resource, by: User) -> None:
    with pytest.raises(ChangeRefused, match="The past stays as it was"):
        change_week(stan, {0: NINE_TO_FIVE}, valid_from=today() - timedelta(days=1), reason="?", by=by)
    with pytest.raises(ChangeRefused, match="at least one day"):
        change_week(stan, {0: []}, valid_from=today(), reason="?", by=by)
    assert not WorkingHours.objects.exists()
    assert not Entry.objects.filter(action="hours.changed").exists()


@pytest.mark.parametrize(
    ("starts", "ends", "message"),
    [(2, 2, "after the start"), (-3, -1, "over already"), (1, 24 * 800, "more than two years")],
)
def test_a_span_that_is_empty_past_or_too_long_is_refused(
    stan: Resource, by: User, starts: int, ends: int, message: str
) -> None:
    now = timezone.now()
    with pytest.raises(ChangeRefused, match=message):
        add_exception(
            stan,
            adds=False,
            starts_at=now + timedelta(hours=starts),
            ends_at=now + timedelta(hours=ends),
            reason="?",
            by=by,
        )
    assert not AvailabilityException.objects.exists()


def absence(resource: Resource | None, by: User, starts: float, ends: float) -> AvailabilityException:
    now = timezone.now()
    span = {"starts_at": now + timedelta(hours=starts), "ends_at": now + timedelta(hours=ends)}
    return add_exception(resource, adds=False, reason="flu", by=by, **span)


def test_the_log_has_the_reason_for_a_rooms_absence_but_not_for_a_persons(stan: Resource, by: User) -> None:
    absence(stan, by, 1, 2)
    absence(make_room(), by, 1, 2)
    absence(None, by, 1, 2)
    entries = Entry.objects.filter(action__startswith="hours.").order_by("index")
    assert [(entry.action, entry.reason) for entry in entries] == [
        ("hours.absence", ""),
        ("hours.absence", "flu"),
        ("hours.closed", "flu"),
    ]


def test_ending_a_future_exception_cancels_it_and_a_current_one_ends_now(stan: Resource, by: User) -> None:
    future, running, over = absence(stan, by, 1, 2), absence(stan, by, -1, 2), absence(stan, by, -2, 1)
    AvailabilityException.objects.filter(pk=over.pk).update(ends_at=timezone.now() - timedelta(minutes=1))
    end_exception(future.pk, resource=stan, by=by)
    end_exception(running.pk, resource=stan, by=by)
    for pk in (future.pk, over.pk, uuid4()):
        with pytest.raises(ChangeRefused, match="taken back before"):
            end_exception(pk, resource=stan, by=by)
    future.refresh_from_db()
    running.refresh_from_db()
    assert (future.ended_by, running.ended_by) == (by, by)
    assert future.ended_at is not None
    assert running.ended_at is None
    assert running.starts_at < running.ends_at <= timezone.now()
    assert Entry.objects.filter(action="hours.exception-ended").count() == 2


def test_an_absence_is_taken_back_only_for_its_own_resource(stan: Resource, by: User) -> None:
    closing, own = absence(None, by, 1, 2), absence(stan, by, 1, 2)
    for wrong, resource in ((closing, stan), (own, None), (own, make_room())):
        with pytest.raises(ChangeRefused):
            end_exception(wrong.pk, resource=resource, by=by)
    assert AvailabilityException.objects.filter(ended_at=None).count() == 2


def test_limits_are_stored_once_for_a_person_with_two_resources(by: User) -> None:
    person = make_user(Role.DOCTOR, Role.TECHNICIAN)
    doctor, technician = (
        Resource.objects.create(kind=kind, label="Howard", user=person) for kind in ("doctor", "technician")
    )
    change_limits(technician, nights_a_week=3, rest_hours=None, by=by)
    change_limits(doctor, nights_a_week=2, rest_hours=11, by=by)
    assert NightLimits.objects.count() == 1
    limits = limits_of(technician)
    assert limits
    assert (limits.nights_a_week, limits.rest_hours) == (2, 11)
    assert Entry.objects.filter(action="hours.limits").latest("index").details == {
        "nights_before": 3,
        "nights": 2,
        "rest_before": 0,
        "rest": 11,
    }


def test_locking_an_unknown_resource_returns_none() -> None:
    with transaction.atomic():
        assert lock_resource(uuid4()) is None


def test_the_database_refuses_hours_and_spans_that_make_no_sense(stan: Resource, by: User) -> None:
    row = {
        "resource": stan,
        "starts": time(9),
        "ends": time(17),
        "valid_from": date(2027, 1, 2),
        "made_by": by,
    }
    span = {"made_by": by, "reason": "?", "starts_at": timezone.now()}
    with pytest.raises(IntegrityError, match="hours_on_a_weekday"), transaction.atomic():
        WorkingHours.objects.create(weekday=7, **row)
    with pytest.raises(IntegrityError, match="hours_end_after_they_begin"), transaction.atomic():
        WorkingHours.objects.create(weekday=6, valid_until=date(2027, 1, 1), **row)
    with pytest.raises(IntegrityError, match="exception_has_length"), transaction.atomic():
        AvailabilityException.objects.create(resource=stan, ends_at=span["starts_at"], **span)
    later = datetime(2199, 1, 1, tzinfo=timezone.get_default_timezone())
    with pytest.raises(IntegrityError, match="the_clinic_only_closes"), transaction.atomic():
        AvailabilityException.objects.create(resource=None, adds=True, ends_at=later, **span)
