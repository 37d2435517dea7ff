"""Offers a time to a patient who waits, and ends an offer: accepted, declined, expired or taken back.

The booking of an offer holds the time (Booking.held_until). The database's clock decides whether an answer
comes in time: the update that accepts or declines has the opposite condition of the one that expires. Every
function here that changes an offer locks its case first, or its caller does.
"""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext as _

from clinic.accounts.models import User
from clinic.audit.record import Act, actor_of, record
from clinic.calendar import bookings
from clinic.calendar.durations import format_moment
from clinic.calendar.models import Booking
from clinic.configuration.values import value_of
from patients.cases.models import Case
from patients.waitlist.configuration import OFFER_HOURS, is_open_on
from patients.waitlist.mails import (
    cancel_offer_mail,
    has_offer_mail_left,
    queue_offer_mail,
    queue_taken_back_mail,
)
from patients.waitlist.models import WaitlistEntry, WaitlistOffer, add_changed_span
from patients.waitlist.waitables import CannotBookOffer, OfferableTime, held_time_of, waitable_of

State, Because = WaitlistOffer.State, WaitlistOffer.Because
OVER_BEFORE_START = timedelta(hours=2)  # an offer expires so long before the offered time begins
SHORTEST_ANSWER_TIME = timedelta(minutes=30)  # a patient has at least so long to answer
# What to load with entries (select_related).
ENTRY_RELATIONS = ("case__patient", "template", "appointment__booking", "appointment__template")


class OfferOver(Exception):
    """The offer cannot be answered like this any more. The message tells the user what became of it."""


def earliest_time(now: datetime) -> datetime:
    """Return the earliest start of a time that can be offered at `now`."""
    return now + OVER_BEFORE_START + SHORTEST_ANSWER_TIME


def _lock_case(case: UUID) -> tuple[Case, datetime]:
    """Lock a case; return it with the time of the database's clock. Call it inside a transaction."""
    row = (
        Case.objects.select_for_update(of=("self",))
        .select_related("patient")
        .annotate(now=Now())
        .get(pk=case)
    )
    return row, row.now


def lock_offer(offer: UUID) -> WaitlistOffer:
    """Lock the case of an offer, and return the offer. Call it inside a transaction."""
    row = WaitlistOffer.objects.select_related("entry").get(pk=offer)
    waitable_of(row.entry).lock(row.case_id)
    _lock_case(row.case_id)
    rows = WaitlistOffer.objects.select_for_update(of=("self",))
    return rows.select_related("booking", *(f"entry__{name}" for name in ENTRY_RELATIONS)).get(pk=offer)


def _record(action: str, offer: WaitlistOffer, by: User | None, **details: Any) -> None:
    record(
        Act(
            action,
            f"waitlist-offer:{offer.pk}",
            actor=actor_of(by) if by else actor_of(None, "waitlist"),
            case=offer.case_id,
            details={"from": offer.booking.starts_at, **details},
        )
    )


@transaction.atomic
def offer_time(entry: WaitlistEntry, time: OfferableTime, *, by: User | None = None) -> WaitlistOffer | None:
    """Hold a time for an entry, and tell the patient. Return the offer, or None if it cannot be made.

    by: the person who asked for it; None: the system.
    """
    case, now = _lock_case(entry.case_id)
    row = WaitlistEntry.objects.waiting().select_related(*ENTRY_RELATIONS).filter(pk=entry.pk).first()
    if row is None or WaitlistOffer.objects.open().filter(case=case).exists():
        return None
    hours = timedelta(hours=value_of(OFFER_HOURS))
    expires = min(now + hours, time.starts_at - OVER_BEFORE_START)
    is_open = is_open_on(timezone.localdate(time.starts_at))
    if expires < now + SHORTEST_ANSWER_TIME or not is_open or waitable_of(row).fault(row, time, None):
        return None
    try:
        booking = bookings.book(
            kind=time.kind,
            resources=time.resources,
            starts_at=time.starts_at,
            ends_at=time.ends_at,
            by=by or row.made_by,
            buffers=time.buffers,
            held_until=expires,
        )
    except bookings.Clash:  # somebody else has booked it
        return None
    offer = WaitlistOffer.objects.create(
        entry=row, case=case, booking=booking, made_at=now, expires_at=expires
    )
    queue_offer_mail(offer)
    _record("waitlist.offered", offer, by, entry=row.pk, until=expires)
    return offer


def _end_offer(
    offer: WaitlistOffer, state: str, by: User | None, because: str = "", **condition: Any
) -> bool:
    """Set the state of an open offer. Return False, and change nothing, if it is not open any more.

    condition: a filter that it must meet too.
    """
    rows = WaitlistOffer.objects.open().filter(pk=offer.pk, **condition)
    if rows.update(state=state, ended_at=Now(), ended_by=by, because=because) != 1:
        return False
    offer.state, offer.because = state, because
    cancel_offer_mail(offer)
    return True


def _free_time(offer: WaitlistOffer) -> None:
    """Free the time of an offer, so that it is offered to the next patient. The caller holds the lock."""
    booking = Booking.objects.select_for_update().get(pk=offer.booking_id)
    if booking.canceled_at is None:
        bookings.cancel(booking)
    add_changed_span(booking.starts_at, booking.ends_at)


def outcome_sentence(offer: WaitlistOffer) -> str:
    """Return what became of an offer, as a sentence for the user."""
    when = {"when": format_moment(offer.booking.starts_at)}
    if offer.state == State.ACCEPTED:
        return _("This time was accepted: it is booked.")
    if offer.state == State.DECLINED:
        return _("This time was declined. It is offered to others.")
    if offer.state == State.TAKEN_BACK:
        return _("We had to take this offer back: %(why)s") % {"why": offer.get_because_display()}
    if offer.entry.ended_at is not None:
        return _("The time to answer is over, and %(when)s is not held any more.") % when
    words = _("The time to answer is over, and %(when)s is not held any more. You stay on the waitlist.")
    return words % when


def accept(offer: WaitlistOffer, *, by: User) -> WaitlistOffer:
    """Book the time of an offer, or move the patient's booking to it. Accepting again changes nothing.

    Raises OfferOver if it is not open any more, or if its time cannot be booked; then it is taken back too.
    """
    with transaction.atomic():
        row, refusal = _accept(lock_offer(offer.pk), by)
    if refusal:  # raised here, because within the transaction it would undo that the offer was taken back
        raise OfferOver(refusal)
    return row


def _accept(offer: WaitlistOffer, by: User) -> tuple[WaitlistOffer, str]:
    """Accept an offer whose case is locked. Return it, and why it was not accepted; "" if it was."""
    if offer.state == State.ACCEPTED:
        return offer, ""
    if offer.state != State.OPEN:
        return offer, outcome_sentence(offer)
    in_time: dict[str, Any] = {"expires_at__gt": Now()}
    if not WaitlistOffer.objects.open().filter(pk=offer.pk, **in_time).exists():
        offer.state = State.EXPIRED
        return offer, outcome_sentence(offer)
    time = held_time_of(offer.booking)
    waitable = waitable_of(offer.entry)
    if fault := waitable.fault(offer.entry, time, offer.booking):
        take_back(offer, fault, by=None)
        return offer, outcome_sentence(offer)
    try:
        with transaction.atomic():
            if not bookings.take_hold(offer.booking):
                raise CannotBookOffer("")
            # Compared with the clock once more: it may have become too late while this waited for locks.
            if not _end_offer(offer, State.ACCEPTED, by, **in_time):
                raise TimeoutError
            waitable.book(offer.entry, time, by)
    except TimeoutError:
        offer.state = State.EXPIRED
        return offer, outcome_sentence(offer)
    except CannotBookOffer as refusal:
        offer.state = State.OPEN
        take_back(offer, Because.TAKEN, by=None)
        return offer, str(refusal) or outcome_sentence(offer)
    end_entry(offer.entry, WaitlistEntry.Ended.BOOKED, by=by)
    _record("waitlist.accepted", offer, by)
    return offer, ""


@transaction.atomic
def decline(offer: WaitlistOffer, *, by: User) -> WaitlistOffer:
    """Free the time of an offer for the next patient. This one stays on the list.

    Raises OfferOver if the offer is not open any more. Declining again changes nothing.
    """
    row = lock_offer(offer.pk)
    if row.state == State.DECLINED:
        return row
    if not _end_offer(row, State.DECLINED, by, expires_at__gt=Now()):
        row.state = State.EXPIRED if row.state == State.OPEN else row.state
        raise OfferOver(outcome_sentence(row))
    _free_time(row)
    _record("waitlist.declined", row, by)
    return row


@transaction.atomic
def expire(offer: UUID) -> bool:
    """End an offer whose time to answer is over, by the database's clock. Return whether this call did it."""
    row = lock_offer(offer)
    if not _end_offer(row, State.EXPIRED, None, expires_at__lte=Now()):
        return False
    _free_time(row)
    _record("waitlist.expired", row, None)
    return True


def take_back(offer: WaitlistOffer, because: str, *, by: User | None, send_mail: bool = True) -> bool:
    """Take back an open offer, and tell the patient if the mail with it has left. Return whether it was open.

    The caller holds the lock of the case. because: a value of Because. send_mail: False if the patient knows.
    """
    send_mail = send_mail and offer.is_open and has_offer_mail_left(offer)
    if not _end_offer(offer, State.TAKEN_BACK, by, because):
        return False
    _free_time(offer)
    if send_mail:
        queue_taken_back_mail(offer)
    _record("waitlist.taken-back", offer, by, because=str(because))
    return True


@transaction.atomic
def take_back_if_unbookable(offer: UUID) -> bool:
    """Take back an open offer whose time could not be booked any more. Return whether it was taken back."""
    row = lock_offer(offer)
    if not row.is_open:
        return False
    fault = waitable_of(row.entry).fault(row.entry, held_time_of(row.booking), row.booking)
    return bool(fault) and take_back(row, fault, by=None)


def end_entry(entry: WaitlistEntry, because: str, *, by: User | None) -> None:
    """Take an entry off the list, and take back its open offer. An entry that has ended stays as it is.

    because: a value of WaitlistEntry.Ended. by: None for the system. The caller holds the lock of the case.
    """
    ended = WaitlistEntry.Ended
    rows = WaitlistEntry.objects.waiting().filter(pk=entry.pk)
    if rows.update(ended_at=timezone.now(), ended_because=because) != 1:
        return
    why = Because.CASE_OVER if because == ended.CASE_OVER else Because.ENDED
    for offer in WaitlistOffer.objects.open().filter(entry=entry).select_related("booking", "case__patient"):
        take_back(offer, why, by=by, send_mail=because != ended.TAKEN_BACK)
    record(
        Act(
            "waitlist.ended",
            f"waitlist-entry:{entry.pk}",
            actor=actor_of(by) if by else actor_of(None, "waitlist"),
            case=entry.case_id,
            details={"because": str(because)},
        )
    )
