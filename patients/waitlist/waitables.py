"""The kinds of entries on the waitlist: which times suit them, what speaks against one, and how it is booked.

Appointments are in appointment_waitables.py. Nights are in the app above, which registers what it knows of
them (erasure/procedures/night_waitables.py).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from clinic.accounts.models import User
from clinic.calendar.board import Span
from clinic.calendar.models import Booking, Resource
from patients.waitlist.models import WaitlistEntry


class CannotBookOffer(Exception):
    """An accepted time cannot be booked. The message says why, in sentences for the user."""


@dataclass(frozen=True)
class OfferableTime:
    """A time that can be offered. kind: of the booking. buffers: minutes for places, before and after it."""

    starts_at: datetime
    ends_at: datetime
    resources: Sequence[Resource]
    kind: str
    buffers: tuple[int, int] = (0, 0)


def held_time_of(booking: Booking) -> OfferableTime:
    """Return the time that an offer's booking holds."""
    return OfferableTime(
        booking.starts_at,
        booking.ends_at,
        list(booking.resources.select_related("user").by_name("kind")),
        booking.kind,
        (booking.buffer_before, booking.buffer_after),
    )


@dataclass(frozen=True)
class Waitable:
    """What the waitlist has to know of one kind of entry, as functions."""

    # times(entry, span, not_before, cache) returns the next times that overlap `span`, the earliest first. A
    # booking of each would be allowed now. It may keep in `cache` what is the same for several entries. The
    # caller empties `cache` after each booking.
    times: Callable[[WaitlistEntry, Span, datetime, dict[Any, Any]], Sequence[OfferableTime]]
    # fault(entry, time, held) returns the code (WaitlistOffer.Because) of what speaks against `time`, or "".
    # held: the booking that holds it, if there is one.
    fault: Callable[[WaitlistEntry, OfferableTime, Booking | None], str]
    # book(entry, time, by) books `time`, or moves to it what is booked. The caller has locked the case and
    # ended the hold, in the same transaction. Raises CannotBookOffer if that is not allowed.
    book: Callable[[WaitlistEntry, OfferableTime, User], None]
    # words(entry, for_patient) returns what the entry is for, as the desk or the patient reads it.
    words: Callable[[WaitlistEntry, bool], str]
    # lock(case_id) locks what has to be locked before the case.
    lock: Callable[[UUID], None] = lambda _case: None


_waitables: dict[str, Waitable] = {}


def register_waitable(kind: str, waitable: Waitable) -> None:
    """Register the waitable of a kind of entries, or replace it. Call it from AppConfig.ready."""
    _waitables[str(kind)] = waitable


def waitable_of(entry: WaitlistEntry) -> Waitable:
    """Return the waitable of an entry's kind."""
    return _waitables[entry.kind]


def entry_words(entry: WaitlistEntry, *, for_patient: bool = False) -> str:
    """Return what an entry is for, in the active language. for_patient: as patients read it, not the desk."""
    return waitable_of(entry).words(entry, for_patient)
