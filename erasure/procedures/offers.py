"""The next times at which a night can be booked for a case, or moved to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.utils import timezone

from clinic.availability.offers import DAYS_AHEAD, TIMES, Offer, Wanted, next_offers
from clinic.calendar.board import Span
from clinic.calendar.models import Booking, Resource
from erasure.procedures.limits import day_filter
from erasure.procedures.models import Procedure
from patients.cases.models import Case
from patients.consent.models import Signature
from patients.consent.signing import may_start_from

# The hours that are offered as long as the form has no valid ones.
DEFAULT_BEGIN, DEFAULT_DURATION = time(20), timedelta(hours=10)


@dataclass(frozen=True)
class OfferedNight:
    """A time that is offered. names: its resources. query: of the link that fills the time into the form."""

    starts_at: datetime
    ends_at: datetime
    names: str
    query: str


def first_allowed(consent: Signature | None) -> datetime:
    """Return the first moment at which a night may be booked: now, or when the cooling-off period ends."""
    now = timezone.now()
    return max(now, may_start_from(consent)) if consent else now


def wanted_for(place: str, chosen: Sequence[Resource], usable: Sequence[Resource]) -> list[Wanted]:
    """Return what a night needs: of each kind the chosen resources, or any of the usable ones if none is.

    place: in the clinic or at home. A chosen room or kit for the other place does not count.
    """
    place_kind = Resource.Kind.HOME_KIT if place == Procedure.Place.HOME else Resource.Kind.ROOM
    found = []
    for name, kind in (
        ("doctor", Resource.Kind.DOCTOR),
        ("technicians", Resource.Kind.TECHNICIAN),
        ("room", place_kind),
    ):
        picked = [one for one in chosen if one.kind == kind]
        found.append(Wanted(name, len(picked) or 1, picked or [one for one in usable if one.kind == kind]))
    return found


def people_who_know(case: Case) -> set[UUID]:
    """Return the ids of the people who were booked for this patient before."""
    bookings = Booking.objects.filter(procedure__case=case)
    people = Resource.objects.filter(bookings__in=bookings, user__isnull=False)
    return set(people.values_list("user_id", flat=True))


def offered_nights(
    case: Case,
    wanted: Sequence[Wanted],
    hours: Span | None,
    *,
    start: datetime,
    keep: Mapping[str, Any],
    exclude: Booking | None = None,
) -> list[OfferedNight]:
    """Return the next times at which all that is wanted is free, at most one for each day.

    Days on which a limit on the patient's nights leaves none are left out.

    hours: the span in the form; its beginning by the clock and its length are offered on other days. start:
    not before this moment. keep: other values of the form, for the links. exclude: the booking to be moved.
    """
    begins = timezone.localtime(hours.start).time() if hours else DEFAULT_BEGIN
    moved = (
        Procedure.objects.filter(booking=exclude).values_list("pk", flat=True).first() if exclude else None
    )
    first = timezone.localdate(start)
    allows = day_filter(case, first, first + timedelta(days=DAYS_AHEAD), exclude=moved)
    found = next_offers(
        wanted,
        hours.end - hours.start if hours else DEFAULT_DURATION,
        start=start,
        clocks=[begins],
        night=True,
        exclude=exclude,
        knows=people_who_know(case),
        limit=DAYS_AHEAD,  # one each day: some may be on days that the patient's limits leave out
    )
    allowed = [offer for offer in found if allows(timezone.localdate(offer.starts_at))]
    return [_offered_night(offer, keep) for offer in allowed[:TIMES]]


def _offered_night(offer: Offer, keep: Mapping[str, Any]) -> OfferedNight:
    start, end = timezone.localtime(offer.starts_at), timezone.localtime(offer.ends_at)
    fields = {
        **keep,
        "doctor": [one.pk for one in offer.team["doctor"]],
        "technicians": [one.pk for one in offer.team["technicians"]],
        "room": [one.pk for one in offer.team["room"]],
        "day": start.date().isoformat(),
        "begins": f"{start:%H:%M}",
        "ends": f"{end:%H:%M}",
    }
    names = ", ".join(one.label for one in offer.resources)
    return OfferedNight(offer.starts_at, offer.ends_at, names, urlencode(fields, doseq=True))
