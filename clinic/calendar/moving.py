"""Moving a booking from the calendar: the package that a booking belongs to says who may, and moves it.

The clinic app knows only hours, people and places. Other rules, such as the patient's time to think it over,
are known to the package whose booking it is. It registers a `Mover` for its kind (`register_mover`).
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.utils.translation import gettext as _

from clinic.accounts.models import Role, User
from clinic.calendar.models import Booking

# The roles that may book outside the working hours of people and rooms, after they have confirmed it.
MAY_BOOK_OUTSIDE = frozenset({Role.RECEPTIONIST, Role.ADMINISTRATOR})


class MoveRefused(Exception):
    """The booking was not moved. sentences: why. stale: the page showed it at another time than it has now.

    confirm_token: stands for exactly these sentences. A form that posts it moves the booking all the same:
    the user has read them. "" if nobody, or not this user, may overrule them.
    """

    def __init__(self, *sentences: str, stale: bool = False, confirm_token: str = "") -> None:
        super().__init__(" ".join(sentences))
        self.sentences = list(sentences)
        self.stale = stale
        self.confirm_token = confirm_token


def move_refusal(
    sentences: Sequence[str], *, stale: bool, confirm_token: str, roles: Collection[str]
) -> MoveRefused:
    """Return the refusal of a move that somebody with `roles` asked for.

    sentences, stale, confirm_token: as of `MoveRefused`. If these roles may not confirm, the refusal says
    who may.
    """
    if not confirm_token or not MAY_BOOK_OUTSIDE.isdisjoint(roles):
        return MoveRefused(*sentences, stale=stale, confirm_token=confirm_token)
    return MoveRefused(*sentences, _("The front desk can book it even so."), stale=stale)


@dataclass(frozen=True)
class Move:
    """The new time of a booking, and the time at which the user's page showed it (expected). All are aware.

    confirm_token: that of `MoveRefused`, which the form posted; "" without one.
    """

    starts_at: datetime
    ends_at: datetime
    expected_start: datetime
    expected_end: datetime
    confirm_token: str = ""


@dataclass(frozen=True)
class Mover:
    """What a package knows of its bookings of one kind. Each function is called once per page.

    movable: returns the ids of the bookings that the user may move and that can still be moved. move: moves
    one; raises PermissionError if the user may not, MoveRefused if it cannot be moved. It is called outside a
    transaction. file_numbers: returns the file numbers of the cases, by booking id, of those that the user
    may see. movable and file_numbers take a constant number of queries.
    """

    movable: Callable[[Sequence[Booking], User], set[UUID]]
    move: Callable[[Booking, Move, User], None]
    file_numbers: Callable[[Sequence[Booking], User], Mapping[UUID, str]]


_movers: dict[str, Mover] = {}


def register_mover(kind: str, mover: Mover) -> None:
    """Register the mover of a kind of bookings, such as `Booking.Kind.ERASURE`. Call it from AppConfig.ready.

    A mover of the same kind is replaced.
    """
    _movers[str(kind)] = mover


def _by_kind(bookings: Sequence[Booking]) -> dict[str, list[Booking]]:
    """Return the bookings whose kind has a mover, by kind."""
    found: dict[str, list[Booking]] = {}
    for booking in bookings:
        if booking.kind in _movers:
            found.setdefault(booking.kind, []).append(booking)
    return found


def movable_bookings(bookings: Sequence[Booking], user: User) -> set[UUID]:
    """Return the ids of those of `bookings` that `user` may move now."""
    return {pk for kind, rows in _by_kind(bookings).items() for pk in _movers[kind].movable(rows, user)}


def file_numbers(bookings: Sequence[Booking], user: User) -> dict[UUID, str]:
    """Return by booking id the file numbers that `user` may see."""
    return {
        pk: number
        for kind, rows in _by_kind(bookings).items()
        for pk, number in _movers[kind].file_numbers(rows, user).items()
    }


def move_booking(booking: Booking, move: Move, *, by: User) -> None:
    """Move a booking with the mover of its kind.

    Raises PermissionError if `by` may not move it, and MoveRefused if it cannot be moved.
    """
    if booking.kind not in _movers:
        raise PermissionError("nothing moves bookings of this kind")
    _movers[booking.kind].move(booking, move, by)
