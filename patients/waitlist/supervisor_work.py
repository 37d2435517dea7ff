"""What the supervisor does for the waitlist: it ends offers, and offers times that have become free.

Times are offered in the order of the list. Any number of supervisors may do it at once: each offer is made
and ended under the lock of its case.
"""

import logging
from collections.abc import Collection, Iterator
from datetime import datetime, timedelta
from itertools import islice
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models.functions import Now
from django.utils import timezone

from clinic.accounts.models import User
from clinic.audit.record import Act, actor_of, record
from clinic.availability.offers import DAYS_AHEAD
from clinic.calendar.board import Span
from patients.appointments.booking import can_have_appointment
from patients.vault.stream import Tampered
from patients.waitlist.automatic_ends import end_entries_after_night
from patients.waitlist.models import ChangedSpan, WaitlistEntry, WaitlistOffer
from patients.waitlist.offers import (
    ENTRY_RELATIONS,
    earliest_time,
    expire,
    offer_time,
    take_back_if_unbookable,
)
from patients.waitlist.waitables import OfferableTime, waitable_of

log = logging.getLogger("lacuna.waitlist")

State = WaitlistOffer.State
MAX_OFFERS_AT_ONCE = 10  # so many offers are made when the desk presses the button
MAX_TRIES = 3  # so many times are tried for one entry, if other bookings are faster


def expire_due() -> int:
    """End the offers whose time to answer is over, by the database's clock. Return how many."""
    due = WaitlistOffer.objects.open().filter(expires_at__lte=Now())
    return sum(expire(pk) for pk in list(due.values_list("pk", flat=True)))


def process_changed_spans() -> int:
    """Process the oldest changed span: take back offers, and make new ones. Return 1, or 0 if there is none.

    This is no part of the supervisor's `tick`, because it needs the key store: who may be booked for a
    patient is sealed. The span is deleted last. So after a crash it is processed again, which offers nothing
    twice.
    """
    row = ChangedSpan.objects.order_by("pk").first()
    if row is None:
        return 0
    span = Span(row.starts_at, row.ends_at)
    take_back_unbookable(span)
    offer_times_in(span)
    row.delete()
    return 1


def take_back_unbookable(span: Span | None = None) -> int:
    """Take back the open offers whose time could not be booked any more. Return how many.

    span: only offers of times that overlap it. None: all offers, and entries of closed cases are ended too;
    after a restore there may be some.
    """
    rows = WaitlistOffer.objects.open()
    if span:
        rows = rows.filter(booking__starts_at__lt=span.end, booking__ends_at__gt=span.start)
    else:
        _end_entries_of_closed_cases()
    count = 0
    for pk in list(rows.values_list("pk", flat=True)):
        try:
            count += take_back_if_unbookable(pk)
        except (
            Tampered
        ):  # the sealed fields of this case were altered; the other offers are looked at all the same
            log.warning("offer %s: its file cannot be read", pk)
    return count


def _end_entries_of_closed_cases() -> None:
    entries = WaitlistEntry.objects.waiting().filter(case__stage__in=["closed", "withdrawn"])
    for entry in entries.select_related("case", "template", "appointment"):
        wanted = entry.template or entry.appointment
        if not can_have_appointment(entry.case, wanted.kind if wanted else ""):
            with transaction.atomic():
                end_entries_after_night(entry.case)


def _refused_times_by_entry(entries: Collection[WaitlistEntry]) -> dict[UUID, list[Span]]:
    """Return by entry the times that were declined or not answered. They are not offered to it again."""
    refused: dict[UUID, list[Span]] = {}
    rows = WaitlistOffer.objects.filter(entry__in=entries, state__in=[State.DECLINED, State.EXPIRED])
    for entry, start, end in rows.values_list("entry_id", "booking__starts_at", "booking__ends_at"):
        refused.setdefault(entry, []).append(Span(start, end))
    return refused


def _entries_without_offer() -> list[WaitlistEntry]:
    """Return the entries on the list whose case has no open offer, in their order."""
    offered = WaitlistOffer.objects.open().values("case")
    rows = WaitlistEntry.objects.waiting().exclude(case__in=offered)
    return list(rows.select_related(*ENTRY_RELATIONS).in_order())


def _suitable_times(
    entry: WaitlistEntry, span: Span, now: datetime, refused: Collection[Span], cache: dict[Any, Any]
) -> Iterator[OfferableTime]:
    """Yield the times that suit an entry and overlap `span`, except those that overlap a refused time."""
    for time in waitable_of(entry).times(entry, span, earliest_time(now), cache):
        if not entry.suits(timezone.localdate(time.starts_at)):
            continue
        if not any(one.start < time.ends_at and time.starts_at < one.end for one in refused):
            yield time


def offer_times_in(span: Span, *, limit: int | None = None, by: User | None = None) -> int:
    """Offer the free times that overlap `span` to those whom they suit, in the order of the list.

    limit: at most so many offers; None: no limit. by: the person who asked for it; None: the system. Return
    the number of offers.
    """
    now = timezone.now()
    entries = _entries_without_offer()
    refused = _refused_times_by_entry(entries)
    cache: dict[Any, Any] = {}  # of the waitables
    cases_with_offer: set[UUID] = set()
    made = 0
    for entry in entries:
        if made == limit:
            break
        if entry.case_id in cases_with_offer:
            continue
        times = _suitable_times(entry, span, now, refused.get(entry.pk, ()), cache)
        try:
            offered = any(offer_time(entry, time, by=by) for time in islice(times, MAX_TRIES))
        except Tampered:
            log.warning("entry %s of the waitlist: its file cannot be read", entry.pk)
            continue
        if offered:
            made += 1
            cases_with_offer.add(entry.case_id)
            cache.clear()
    return made


def offer_all_free_times(*, by: User) -> int:
    """Offer the free times of the next weeks in the order of the list, as the desk's button asks.

    Return the number of offers: at most MAX_OFFERS_AT_ONCE.
    """
    now = timezone.now()
    made = offer_times_in(Span(now, now + timedelta(days=DAYS_AHEAD)), limit=MAX_OFFERS_AT_ONCE, by=by)
    with transaction.atomic():
        record(Act("waitlist.gone-through", f"user:{by.pk}", actor=actor_of(by), details={"offers": made}))
    return made
