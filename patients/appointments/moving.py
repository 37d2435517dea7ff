"""Moves appointments from the calendar, by the rules of `move_appointment`, and names their files."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from django.utils import timezone
from django.utils.translation import gettext as _

from clinic.accounts.models import User
from clinic.calendar.models import Booking
from clinic.calendar.moving import MAY_BOOK_OUTSIDE, Move, Mover, MoveRefused, move_refusal
from patients.appointments.booking import CannotBook, move_appointment
from patients.appointments.models import Appointment
from patients.cases.relations import roles_on

PAGE = "patients:appointment-move"  # whoever may use this page may move the appointment in the calendar too


def movable(bookings: Sequence[Booking], user: User) -> set[UUID]:
    """Return the ids of the bookings of booked appointments that `user` may move."""
    rows = Appointment.objects.booked().filter(booking__in=bookings)
    cases = dict(rows.values_list("booking_id", "case_id"))
    roles_by_case = roles_on(user, cases.values(), PAGE, writing=True)
    return {booking for booking, case in cases.items() if case in roles_by_case}


def file_numbers(bookings: Sequence[Booking], user: User) -> Mapping[UUID, str]:
    """Return by booking id the file numbers of the appointments whose file `user` may open."""
    rows = list(
        Appointment.objects.filter(booking__in=bookings).values_list(
            "booking_id", "case_id", "case__reference"
        )
    )
    roles_by_case = roles_on(user, {case for _booking, case, _number in rows})
    return {booking: number for booking, case, number in rows if case in roles_by_case}


def move(booking: Booking, asked: Move, by: User) -> None:
    """Move an appointment as `asked`. Errors: MoveRefused; PermissionError if `by` may not move it.

    The calendar asks for no reason and writes down Reason.CLINIC. A move that a patient asks for is made on
    the page of the appointment, where it counts for the limit.
    """
    appointment = Appointment.objects.filter(booking=booking).first()
    roles = None
    if appointment:
        roles = roles_on(by, [appointment.case_id], PAGE, writing=True).get(appointment.case_id)
    if appointment is None or not roles:
        raise PermissionError("this user may not move this appointment")
    if asked.ends_at <= timezone.now():
        raise MoveRefused(_("This time is over already."))
    may_confirm = not MAY_BOOK_OUTSIDE.isdisjoint(roles)
    try:
        move_appointment(
            appointment,
            starts_at=asked.starts_at,
            ends_at=asked.ends_at,
            expected_start=asked.expected_start,
            expected_end=asked.expected_end,
            confirm_token=asked.confirm_token if may_confirm else "",
            reason=Appointment.Reason.CLINIC,
            by=by,
        )
    except CannotBook as refusal:
        raise move_refusal(
            refusal.sentences, stale=refusal.stale, confirm_token=refusal.confirm_token, roles=roles
        ) from refusal


MOVER = Mover(movable, move, file_numbers)
