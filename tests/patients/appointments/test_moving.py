"""Appointments are moved in the calendar by their own rules, and each state has its lane on the board."""

from datetime import datetime, timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from clinic.accounts.models import Role
from clinic.calendar.board import Span, describe_bookings
from clinic.calendar.models import Booking
from clinic.calendar.moving import Move, MoveRefused, file_numbers, movable_bookings, move_booking
from clinic.calendar.state_lanes import State
from clinic.calendar_pages.forms import MoveForm
from patients.appointments import states
from patients.appointments.models import Appointment
from tests.appointments import make_appointment, make_team
from tests.factories import make_technician, make_user

pytestmark = pytest.mark.django_db


def later(booking: Booking, hours: int) -> Move:
    """The move of a booking by some hours, from a page that shows its present hours."""
    row = Booking.objects.get(pk=booking.pk)
    shift = timedelta(hours=hours)
    return Move(row.starts_at + shift, row.ends_at + shift, row.starts_at, row.ends_at)


def tomorrow_noon() -> datetime:
    noon = timezone.localtime().replace(hour=12, minute=0, second=0, microsecond=0)
    return noon + timedelta(days=1)


def test_the_desk_moves_an_appointment_in_the_calendar(client: Client) -> None:
    appointment = make_appointment(starts_at=tomorrow_noon())
    desk, booking = make_user(Role.RECEPTIONIST), appointment.booking
    client.force_login(desk)
    asked = later(booking, 1)
    fields = MoveForm.data_for(Span(asked.starts_at, asked.ends_at), booking)
    assert client.post(reverse("calendar-move", args=[booking.pk]), fields).status_code == 302
    row = Appointment.objects.with_booking().get(pk=appointment.pk)
    assert (row.booking.starts_at, row.sequence, row.reason) == (asked.starts_at, 1, "clinic")
    # The clinic moved it: that does not count for the moves of the patient.
    assert row.patient_moves == 0
    assert file_numbers([booking], desk) == {booking.pk: appointment.case.reference}


def test_a_clash_a_stale_page_and_a_technician_move_nothing() -> None:
    team = make_team()
    first = make_appointment(starts_at=tomorrow_noon(), team=team)
    make_appointment(starts_at=tomorrow_noon() + timedelta(hours=1), team=team)
    desk = make_user(Role.RECEPTIONIST)
    with pytest.raises(MoveRefused) as clash:
        move_booking(first.booking, later(first.booking, 1), by=desk)
    assert team[0].label in str(clash.value)
    stale = later(first.booking, 3)
    move_booking(first.booking, stale, by=desk)
    with pytest.raises(MoveRefused) as refused:
        move_booking(first.booking, stale, by=desk)
    assert refused.value.stale
    technician = make_technician()
    assert movable_bookings([first.booking], technician) == set()
    with pytest.raises(PermissionError):
        move_booking(first.booking, later(first.booking, 1), by=technician)
    assert Appointment.objects.get(pk=first.pk).sequence == 1


def test_only_what_is_expected_can_be_moved_and_each_state_has_its_lane() -> None:
    appointment, desk = make_appointment(), make_user(Role.RECEPTIONIST)
    booking = appointment.booking

    def lane() -> str:
        return describe_bookings([booking], desk)[booking.pk].state

    assert movable_bookings([booking], desk) == {booking.pk}
    assert lane() == State.EXPECTED
    for mark, expected in (
        (states.mark_arrived, State.ARRIVED),
        (states.mark_in_progress, State.RUNNING),
        (states.mark_completed, State.DONE),
    ):
        mark(appointment, by=desk)
        assert lane() == expected
        assert movable_bookings([booking], desk) == set()
