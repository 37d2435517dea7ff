"""Bookings that are only held for a while, buffers around a booking, and one person in two roles."""

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from clinic.accounts.models import Role
from clinic.calendar.board import Span, bookings_in
from clinic.calendar.bookings import Clash, book, cancel, confirm_hold, move
from clinic.calendar.models import Booking, Reservation, Resource
from tests.factories import make_room, make_user

pytestmark = pytest.mark.django_db
START = datetime(2031, 2, 10, 9, tzinfo=UTC)
HOUR = timedelta(hours=1)


def reserve(*resources: Resource, at: float = 0, **more: object) -> Booking:
    starts_at = START + at * HOUR
    return book(
        kind="visit",
        resources=resources,
        starts_at=starts_at,
        ends_at=starts_at + HOUR,
        by=make_user(),
        **more,  # type: ignore[arg-type]
    )


def hold(room: Resource, minutes: float) -> Booking:
    return reserve(room, held_until=timezone.now() + timedelta(minutes=minutes))


def expire(booking: Booking) -> None:
    Booking.objects.filter(pk=booking.pk).update(held_until=timezone.now() - timedelta(seconds=1))


def test_a_hold_keeps_others_away_until_it_expires() -> None:
    room = make_room()
    held = hold(room, 10)
    with pytest.raises(Clash):
        reserve(room)
    expire(held)
    taken = reserve(room)
    held.refresh_from_db()
    assert held.canceled_at is not None
    assert list(Reservation.objects.values_list("booking", flat=True).distinct()) == [taken.pk]
    assert confirm_hold(held) is False


def test_a_hold_is_kept_even_after_it_expired_if_nobody_took_it() -> None:
    room = make_room()
    held = hold(room, 10)
    expire(held)
    assert bookings_in(Span(START, START + HOUR)) == []
    assert confirm_hold(held) is True
    assert bookings_in(Span(START, START + HOUR)) == [held]
    with pytest.raises(Clash):
        reserve(room)


def test_an_expired_hold_makes_way_for_a_move_too() -> None:
    room = make_room()
    held = hold(room, 10)
    expire(held)
    other = reserve(room, at=5)
    move(other, starts_at=START, ends_at=START + HOUR, expected_start=other.starts_at)
    held.refresh_from_db()
    assert held.canceled_at is not None


def test_an_expired_hold_is_not_canceled_by_bookings_of_other_hours_or_rooms() -> None:
    room = make_room()
    held = hold(room, 10)
    expire(held)
    reserve(room, at=1)
    reserve(make_room())
    held.refresh_from_db()
    assert held.canceled_at is None


def test_the_buffers_of_a_booking_are_reserved_for_its_room_and_move_with_it() -> None:
    room = make_room()
    booked = reserve(room, buffers=(15, 30))
    for at in (-1, 1.25):
        with pytest.raises(Clash):
            reserve(room, at=at)
    assert reserve(room, at=1.5)
    move(booked, starts_at=START - 4 * HOUR, ends_at=START - 3 * HOUR, expected_start=booked.starts_at)
    assert reserve(room, at=-1)
    with pytest.raises(Clash):
        reserve(room, at=-2.75)


def test_a_clash_with_a_buffer_names_the_room_and_not_the_person() -> None:
    room, person = make_room(), make_user(Role.TECHNICIAN)
    stan = Resource.objects.create(kind="technician", label="Stan", user=person)
    reserve(room, at=1)
    reserve(stan, at=1)
    with pytest.raises(Clash) as refusal:
        reserve(room, stan, buffers=(0, 15))
    assert [resource.label for resource, _booking in refusal.value.taken] == [room.label]


def test_nobody_is_at_two_places_in_two_roles() -> None:
    person = make_user(Role.DOCTOR, Role.TECHNICIAN)
    as_doctor, as_technician = (
        Resource.objects.create(kind=kind, label="Howard", user=person) for kind in ("doctor", "technician")
    )
    booked = reserve(as_doctor)
    with pytest.raises(Clash) as refusal:
        reserve(as_technician)
    assert refusal.value.sentences() == ["Howard is taken from 10 Feb, 04:00 to 10 Feb, 05:00."]
    other = reserve(as_technician, at=3)
    with pytest.raises(Clash):
        move(other, starts_at=START, ends_at=START + HOUR, expected_start=other.starts_at)
    assert list(booked.resources.all()) == [as_doctor]
    cancel(booked)
    assert reserve(as_technician)
