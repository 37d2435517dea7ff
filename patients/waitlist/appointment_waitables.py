"""The waitables of appointments: a new one with a template, and an earlier time for one that is booked."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from datetime import time as clock_time
from typing import Any

from django.utils.text import capfirst
from django.utils.translation import gettext as _

from clinic.accounts.models import User
from clinic.availability.offers import next_offers, objections_to
from clinic.availability.timetables import clock_moment
from clinic.calendar.board import Span
from clinic.calendar.models import PLACES, QUARTER, Booking, Resource
from patients.appointments.booking import (
    CannotBook,
    book_appointment,
    can_have_appointment,
    hold_appointment,
    move_appointment,
    team_problems,
)
from patients.appointments.models import Appointment, AppointmentTemplate, TemplateValues
from patients.appointments.offers import (
    CLOCKS,
    bookings_of,
    due_day,
    needed,
    offered_times,
    usable_resources,
    wanted_for,
)
from patients.cases.models import Case
from patients.waitlist.models import WaitlistEntry, WaitlistOffer
from patients.waitlist.waitables import CannotBookOffer, OfferableTime, Waitable

Because = WaitlistOffer.Because


def clocks_for(entry: WaitlistEntry, duration: timedelta) -> tuple[clock_time, ...]:
    """Return the times of the day at which an appointment of this duration may begin to suit an entry."""

    def minutes(clock: clock_time) -> int:
        return clock.hour * 60 + clock.minute

    earliest = minutes(entry.from_clock) if entry.from_clock else 0
    latest = minutes(entry.until_clock) if entry.until_clock else 24 * 60
    length = int(duration / timedelta(minutes=1))
    return tuple(one for one in CLOCKS if earliest <= minutes(one) and minutes(one) + length <= latest)


def window_of(entry: WaitlistEntry, span: Span, duration: timedelta, not_before: datetime) -> Span | None:
    """Return the window in which a time that overlaps `span` may begin; None if there is none.

    It begins at `not_before` or later, and on the days that suit the entry.
    """
    start = max(not_before, span.start - duration + QUARTER)
    if entry.first_day:
        start = max(start, clock_moment(entry.first_day, clock_time(0)))
    end = span.end
    if entry.last_day:
        end = min(end, clock_moment(entry.last_day + timedelta(days=1), clock_time(0)))
    return Span(start, end) if start < end else None


def days_in(window: Span) -> int:
    """Return the length of a span in days, rounded up."""
    return -((window.start - window.end) // timedelta(days=1))


def _times_in(
    window: Span,
    entry: WaitlistEntry,
    values: TemplateValues,
    among: Sequence[Resource],
    duration: timedelta,
) -> list[OfferableTime]:
    """Return the next times that begin in `window` and suit an entry. among: what may be booked."""
    if not (clocks := clocks_for(entry, duration)):
        return []
    times = offered_times(
        entry.case,
        values,
        among,
        start=window.start,
        duration=duration,
        clocks=clocks,
        weekdays=entry.weekday_numbers,
        days=days_in(window),
    )
    buffers = (values.buffer_before, values.buffer_after)
    return [
        OfferableTime(one.starts_at, one.ends_at, one.resources, values.kind, buffers)
        for one in times
        if one.starts_at < window.end
    ]


def is_patient_busy(case: Case, time: OfferableTime, *exclude: Booking | None) -> bool:
    """Return whether the patient has something else at a time. exclude: bookings that do not count."""
    ids = {one.pk for one in exclude if one}
    return any(
        other.pk not in ids and other.starts_at < time.ends_at and other.occupied_until > time.starts_at
        for other in bookings_of(case)
    )


def _new_times(
    entry: WaitlistEntry, span: Span, not_before: datetime, cache: dict[Any, Any]
) -> Sequence[OfferableTime]:
    """`Waitable.times` for an appointment with the entry's template."""
    template = entry.template
    if template is None or not template.in_use or not can_have_appointment(entry.case, template.kind):
        return []
    duration = timedelta(minutes=template.minutes)
    if due := due_day(entry.case, template):
        not_before = max(not_before, due)
    window = window_of(entry, span, duration, not_before)
    if window is None:
        return []
    # Asked once for all patients, because most changed spans have no time for anybody.
    if (template.pk, span) not in cache:
        cache[template.pk, span] = _is_any_time_free(template, span)
    if not cache[template.pk, span]:
        return []
    return _times_in(window, entry, template, usable_resources(entry.case, template), duration)


def _is_any_time_free(template: AppointmentTemplate, span: Span) -> bool:
    """Return whether the resources for a template are free at any time that overlaps a span.

    Which of them may be booked for which patient is not asked.
    """
    duration = timedelta(minutes=template.minutes)
    kinds = [kind for kind, _count in needed(template).values()]
    among = list(Resource.objects.filter(in_use=True, kind__in=kinds).select_related("user").by_name())
    wanted = wanted_for(template, among)
    if not wanted or any(len(row.among) < row.count for row in wanted):
        return False
    start = span.start - duration + QUARTER
    days = days_in(Span(start, span.end))
    first = next_offers(wanted, duration, start=start, clocks=CLOCKS, in_extra_hours=True, days=days, limit=1)
    return bool(first) and first[0].starts_at < span.end


def _new_fault(entry: WaitlistEntry, time: OfferableTime, held: Booking | None) -> str:
    template = entry.template
    if template is None or not can_have_appointment(entry.case, template.kind):
        return Because.CASE_OVER
    if not template.in_use or time.ends_at - time.starts_at != timedelta(minutes=template.minutes):
        return Because.CHANGED
    return _team_or_patient_fault(entry, template, time, held)


def _team_or_patient_fault(
    entry: WaitlistEntry,
    values: TemplateValues,
    time: OfferableTime,
    held: Booking | None,
    *exclude: Booking,
) -> str:
    """Return what speaks against a time for its people, its room or the patient; "" if nothing does.

    held: the booking that holds the time. exclude: other bookings of the patient that do not count.
    """
    if team_problems(entry.case, values, time.resources):
        return Because.TEAM
    if is_patient_busy(entry.case, time, held, *exclude):
        return Because.PATIENT
    if objections_to(time.resources, time.starts_at, time.ends_at, exclude=held):
        return Because.TEAM
    return ""


def _book_new(entry: WaitlistEntry, time: OfferableTime, by: User) -> None:
    template = entry.template
    if template is None:
        raise ValueError("the entry is for no new appointment")
    try:
        held = hold_appointment(
            entry.case, template, resources=time.resources, starts_at=time.starts_at, by=by
        )
        book_appointment(held, by=by)
    except CannotBook as refusal:
        raise CannotBookOffer(str(refusal)) from refusal


def _earlier_times(
    entry: WaitlistEntry, span: Span, not_before: datetime, _cache: dict[Any, Any]
) -> Sequence[OfferableTime]:
    """`Waitable.times` for an earlier time of a booked appointment: with the same people, in any room."""
    row = entry.appointment
    if row is None or row.status != Appointment.Status.BOOKED:
        return []
    booking = row.booking
    duration = booking.ends_at - booking.starts_at
    if row.template and (due := due_day(entry.case, row.template)):
        not_before = max(not_before, due)
    window = window_of(entry, span, duration, not_before)
    if window is None or window.start >= booking.starts_at:
        return []
    window = Span(window.start, min(window.end, booking.starts_at))
    people = [one for one in booking.resources.select_related("user") if one.kind not in PLACES]
    rooms = [one for one in usable_resources(entry.case, row) if one.kind in PLACES]
    return _times_in(window, entry, row, [*people, *rooms], duration)


def _earlier_fault(entry: WaitlistEntry, time: OfferableTime, held: Booking | None) -> str:
    row = entry.appointment
    if row is None or row.status != Appointment.Status.BOOKED:
        return Because.ENDED
    if time.starts_at >= row.booking.starts_at:
        return Because.LATER
    if time.ends_at - time.starts_at != row.booking.ends_at - row.booking.starts_at:
        return Because.CHANGED
    return _team_or_patient_fault(entry, row, time, held, row.booking)


def _move_to_earlier(entry: WaitlistEntry, time: OfferableTime, by: User) -> None:
    row = entry.appointment
    if row is None:
        raise ValueError("the entry is for no earlier time of an appointment")
    try:
        move_appointment(
            row,
            starts_at=time.starts_at,
            ends_at=time.ends_at,
            expected_start=row.booking.starts_at,
            reason=Appointment.Reason.EARLIER,
            new_resources=time.resources,
            by=by,
        )
    except CannotBook as refusal:
        raise CannotBookOffer(str(refusal)) from refusal


def _name(row: AppointmentTemplate | Appointment | None, for_patient: bool) -> str:
    """Return the name of an appointment, which staff know, or its kind for the patient; "" for None."""
    if row is None:
        return ""
    return capfirst(row.get_kind_display()) if for_patient else row.name


def _new_words(entry: WaitlistEntry, for_patient: bool) -> str:
    return _name(entry.template, for_patient)


def _earlier_words(entry: WaitlistEntry, for_patient: bool) -> str:
    return _("%(name)s, an earlier time") % {"name": _name(entry.appointment, for_patient)}


NEW_APPOINTMENT = Waitable(_new_times, _new_fault, _book_new, _new_words)
EARLIER_APPOINTMENT = Waitable(_earlier_times, _earlier_fault, _move_to_earlier, _earlier_words)
