"""Moves booked nights from the calendar, by the rules of `move_procedure`, and names their files."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from django.utils import timezone
from django.utils.translation import gettext as _

from clinic.accounts.models import User
from clinic.calendar.models import Booking
from clinic.calendar.moving import MAY_BOOK_OUTSIDE, Move, Mover, MoveRefused, move_refusal
from erasure.procedures.booking import CannotBook, move_procedure
from erasure.procedures.forms import MAX_DURATION
from erasure.procedures.models import Procedure
from patients.cases.relations import roles_on

PAGE = "erasure:procedure-move"  # whoever may open this page of a night may move it from the calendar too


def movable(bookings: Sequence[Booking], user: User) -> set[UUID]:
    """Return the ids of the bookings of nights that have not begun and that `user` may move."""
    cases = dict(
        Procedure.objects.filter(booking__in=bookings, state=Procedure.State.BOOKED).values_list(
            "booking_id", "case_id"
        )
    )
    roles_by_case = roles_on(user, cases.values(), PAGE)
    return {booking for booking, case in cases.items() if case in roles_by_case}


def file_numbers(bookings: Sequence[Booking], user: User) -> Mapping[UUID, str]:
    """Return by booking id the file numbers of the nights whose file `user` may open."""
    rows = list(
        Procedure.objects.filter(booking__in=bookings).values_list("booking_id", "case_id", "case__reference")
    )
    roles_by_case = roles_on(user, {case for _booking, case, _number in rows})
    return {booking: number for booking, case, number in rows if case in roles_by_case}


def move(booking: Booking, asked: Move, by: User) -> None:
    """Move a night as `asked`. Errors: MoveRefused; PermissionError if `by` may not move it."""
    procedure = Procedure.objects.filter(booking=booking).first()
    roles = roles_on(by, [procedure.case_id], PAGE).get(procedure.case_id) if procedure else None
    if procedure is None or not roles:
        raise PermissionError("this user may not move this night")
    if asked.ends_at - asked.starts_at > MAX_DURATION:
        raise MoveRefused(_("A night has at most 16 hours."))
    if asked.ends_at <= timezone.now():
        raise MoveRefused(_("This night is over already."))
    may_confirm = not MAY_BOOK_OUTSIDE.isdisjoint(roles)
    try:
        move_procedure(
            procedure,
            starts_at=asked.starts_at,
            ends_at=asked.ends_at,
            expected_start=asked.expected_start,
            expected_end=asked.expected_end,
            confirm_token=asked.confirm_token if may_confirm else "",
            by=by,
        )
    except CannotBook as refusal:
        raise move_refusal(
            refusal.sentences, stale=refusal.stale, confirm_token=refusal.confirm_token, roles=roles
        ) from refusal


MOVER = Mover(movable, move, file_numbers)
