"""The waitables of nights: a new one, and one that is earlier than the booked one.

The rules are those of booking.py and readiness.py: consent, map, review, time to think it over, and the
limits on a patient's nights.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from datetime import time as clock_time
from typing import Any
from uuid import UUID

from django.utils import timezone
from django.utils.translation import gettext as _

from clinic.accounts.models import User
from clinic.availability.offers import DAYS_AHEAD, Wanted, next_offers, objections_to
from clinic.calendar.board import Span
from clinic.calendar.models import Booking, Resource
from erasure.procedures.booking import (
    CannotBook,
    book_procedure,
    consent_in_force,
    move_procedure,
    team_problems,
)
from erasure.procedures.limits import day_filter, limits_against
from erasure.procedures.models import Procedure
from erasure.procedures.offers import DEFAULT_BEGIN, DEFAULT_DURATION, people_who_know, wanted_for
from erasure.procedures.readiness import fault_of
from patients.cases.models import Case
from patients.consent.models import Signature
from patients.consent.signing import may_start_from
from patients.intake_review.reviewing import fault_of_review
from patients.memories.map_content import map_body, map_digest
from patients.waitlist.appointment_waitables import days_in, is_patient_busy, window_of
from patients.waitlist.models import WaitlistEntry, WaitlistOffer
from patients.waitlist.waitables import CannotBookOffer, OfferableTime, Waitable

Because = WaitlistOffer.Because


def _ready_consent(case: Case) -> Signature | None:
    """Return the consent under which a night could be booked now; None if a night cannot be booked."""
    consent = consent_in_force(case)
    if case.stage != Case.Stage.CONSENTED or consent is None or consent.map is None:
        return None
    if map_digest(map_body(case)) != consent.map.digest:
        return None
    return None if fault_of_review(case, needed=consent.map.needs_review) else consent


def _booked_night(case: Case) -> Procedure | None:
    """Return the booked night of a case; None if there is none."""
    rows = Procedure.objects.select_related("booking", "consent", "map", "case")
    return rows.filter(case=case, state=Procedure.State.BOOKED).first()


def _usable_resources(case: Case) -> list[Resource]:
    """Return all resources in use, except people who are in conflict with the case."""
    rows = Resource.objects.filter(in_use=True).exclude(user__in=case.people_in_conflict())
    return list(rows.select_related("user").by_name())


def _nights_in(
    window: Span,
    entry: WaitlistEntry,
    wanted: Sequence[Wanted],
    duration: timedelta,
    *,
    begins: clock_time = DEFAULT_BEGIN,
    moved: Procedure | None = None,
) -> list[OfferableTime]:
    """Return the next nights that begin in `window` and suit an entry, and that the patient's limits allow.

    begins: at which time of the day. moved: the booked night that would be moved.
    """
    first, last = (timezone.localdate(one) for one in (window.start, window.end))
    allows = day_filter(entry.case, first, last, exclude=moved.pk if moved else None)
    exclude = moved.booking if moved else None
    offers = next_offers(
        wanted,
        duration,
        start=window.start,
        clocks=[begins],
        night=True,
        knows=people_who_know(entry.case),
        weekdays=entry.weekday_numbers,
        days=days_in(window),
        exclude=exclude,
        limit=DAYS_AHEAD,  # one each day: some may be on days that the patient's limits leave out
    )
    times = [
        OfferableTime(one.starts_at, one.ends_at, one.resources, Booking.Kind.ERASURE)
        for one in offers
        if one.starts_at < window.end and allows(timezone.localdate(one.starts_at))
    ]
    return [one for one in times if not is_patient_busy(entry.case, one, exclude)]


def _new_times(
    entry: WaitlistEntry, span: Span, not_before: datetime, _cache: dict[Any, Any]
) -> Sequence[OfferableTime]:
    """`Waitable.times` for a night."""
    consent = _ready_consent(entry.case)
    if consent is None:
        return []
    window = window_of(entry, span, DEFAULT_DURATION, max(not_before, may_start_from(consent)))
    if window is None:
        return []
    wanted = wanted_for(entry.place, [], _usable_resources(entry.case))
    return _nights_in(window, entry, wanted, DEFAULT_DURATION)


def _new_fault(entry: WaitlistEntry, time: OfferableTime, held: Booking | None) -> str:
    consent = _ready_consent(entry.case)
    if consent is None or time.starts_at < may_start_from(consent):
        return Because.NOT_READY
    if limits_against(entry.case, time.starts_at)[0]:
        return Because.NOT_READY
    if team_problems(entry.case, entry.place, time.resources):
        return Because.TEAM
    if is_patient_busy(entry.case, time, held):
        return Because.PATIENT
    if objections_to(time.resources, time.starts_at, time.ends_at, night=True, exclude=held):
        return Because.TEAM
    return ""


def _book_new(entry: WaitlistEntry, time: OfferableTime, by: User) -> None:
    try:
        book_procedure(
            entry.case,
            place=entry.place,
            resources=time.resources,
            starts_at=time.starts_at,
            ends_at=time.ends_at,
            by=by,
        )
    except CannotBook as refusal:
        raise CannotBookOffer(str(refusal)) from refusal


def _earlier_times(
    entry: WaitlistEntry, span: Span, not_before: datetime, _cache: dict[Any, Any]
) -> Sequence[OfferableTime]:
    """`Waitable.times` for a night before the booked one, with the same team and place."""
    night = _booked_night(entry.case)
    if night is None or fault_of(night):
        return []
    booking = night.booking
    duration = booking.ends_at - booking.starts_at
    window = window_of(entry, span, duration, max(not_before, may_start_from(night.consent)))
    # The offer holds the same people while they are booked for the later night, so the two may not overlap.
    latest = booking.starts_at - duration
    if window is None or window.start > latest:
        return []
    team = list(booking.resources.select_related("user"))
    times = _nights_in(
        window,
        entry,
        wanted_for(night.place, team, []),
        duration,
        begins=timezone.localtime(booking.starts_at).time(),
        moved=night,
    )
    return [one for one in times if one.starts_at <= latest]


def _earlier_fault(entry: WaitlistEntry, time: OfferableTime, held: Booking | None) -> str:
    night = _booked_night(entry.case)
    if night is None:
        return Because.ENDED
    if fault_of(night) or time.starts_at < may_start_from(night.consent):
        return Because.NOT_READY
    if limits_against(entry.case, time.starts_at, exclude=night.pk)[0]:
        return Because.NOT_READY
    if time.starts_at >= night.booking.starts_at:
        return Because.LATER
    if time.ends_at - time.starts_at != night.booking.ends_at - night.booking.starts_at:
        return Because.CHANGED
    if team_problems(entry.case, night.place, time.resources):
        return Because.TEAM
    if is_patient_busy(entry.case, time, held, night.booking):
        return Because.PATIENT
    own = [one for one in (held, night.booking) if one]
    if objections_to(time.resources, time.starts_at, time.ends_at, night=True, exclude=own):
        return Because.TEAM
    return ""


def _move_to_earlier(entry: WaitlistEntry, time: OfferableTime, by: User) -> None:
    night = _booked_night(entry.case)
    if night is None:
        raise CannotBookOffer(_("There is no night that could be earlier."))
    try:
        move_procedure(
            night,
            starts_at=time.starts_at,
            ends_at=time.ends_at,
            expected_start=night.booking.starts_at,
            by=by,
        )
    except CannotBook as refusal:
        raise CannotBookOffer(str(refusal)) from refusal


def _lock_night(case: UUID) -> None:
    """Lock the booked night of a case, as everything does that changes a night: before the case."""
    list(Procedure.objects.select_for_update().filter(case=case, state=Procedure.State.BOOKED).order_by("pk"))


def _new_words(entry: WaitlistEntry, _for_patient: bool) -> str:
    return _("A night, %(place)s") % {"place": Procedure.Place(entry.place).label}


def _earlier_words(_entry: WaitlistEntry, _for_patient: bool) -> str:
    return _("An earlier night")


NIGHT = Waitable(_new_times, _new_fault, _book_new, _new_words, _lock_night)
EARLIER_NIGHT = Waitable(_earlier_times, _earlier_fault, _move_to_earlier, _earlier_words, _lock_night)
