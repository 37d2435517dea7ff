"""The next times at which an appointment can be made, or moved to, with who and what would be booked."""

from collections.abc import Collection, Sequence
from datetime import datetime, time, timedelta
from uuid import UUID

from django.db.models import Q
from django.utils import timezone

from clinic.availability.offers import DAYS_AHEAD, TIMES, Offer, Wanted, next_offers
from clinic.availability.timetables import clock_moment
from clinic.calendar.models import Booking, Resource
from clinic.seasons.models import Season
from clinic.seasons.rules import seasons_between
from patients.appointments.models import (
    Appointment,
    AppointmentTemplate,
    DeskTask,
    Kind,
    Place,
    TemplateValues,
)
from patients.cases.models import Case

# The times of the day at which an appointment is offered, beside the extra hours of a season. Others can be
# typed.
CLOCKS = tuple(time(hour, minute) for hour in range(8, 20) for minute in (0, 30))
SPARE = 20  # more times searched for than shown: those within other bookings of the patient are dropped
ROLES = (("doctors", Resource.Kind.DOCTOR), ("technicians", Resource.Kind.TECHNICIAN))


def needed(values: TemplateValues) -> dict[str, tuple[str, int]]:
    """Return what an appointment needs, by role: the kind of resource, and how many of it."""
    found = {name: (kind.value, getattr(values, name)) for name, kind in ROLES if getattr(values, name)}
    if values.place == Place.ROOM:
        found["room"] = (Resource.Kind.ROOM.value, 1)
    return found


def usable_resources(case: Case, values: TemplateValues) -> list[Resource]:
    """Return the people and rooms that can be booked for a case: neither its patient nor its subject."""
    kinds = [kind for kind, _count in needed(values).values()]
    rows = Resource.objects.filter(in_use=True, kind__in=kinds).exclude(user__in=case.people_in_conflict())
    return list(rows.select_related("user").by_name())


def wanted_for(values: TemplateValues, among: Sequence[Resource]) -> list[Wanted]:
    """Return the needs of an appointment, for the search. among: the resources that may be chosen."""
    return [
        Wanted(
            name,
            count,
            [one for one in among if one.kind == kind],
            before=values.buffer_before,
            after=values.buffer_after,
        )
        for name, (kind, count) in needed(values).items()
    ]


def people_who_know(case: Case) -> set[UUID]:
    """Return the ids of the people who were booked for this patient before."""
    # The nights are in the app above: they are reached through a reverse relation.
    bookings = Booking.objects.filter(Q(appointment__case=case) | Q(procedure__case=case))
    people = Resource.objects.filter(bookings__in=bookings, user__isnull=False)
    return set(people.values_list("user_id", flat=True))


def bookings_of(case: Case) -> "list[Booking]":
    """Return the bookings of a case that still take its patient's time: also nights, holds and offers."""
    # Nights and offers of the waitlist are in packages above: they are reached through reverse relations.
    own = Q(appointment__case=case) | Q(procedure__case=case) | Q(waitlist_offer__case=case)
    rows = Booking.objects.in_force().filter(own)
    over = Q(appointment__status__in=[Appointment.Status.NO_SHOW, Appointment.Status.COMPLETED])
    return list(rows.exclude(over).order_by("starts_at"))


def appointments_in(case: Case, season: Season, *, exclude: Booking | None = None) -> int:
    """Return how many appointments a case's patient has in a season, in all files, without follow-ups.

    Held ones count, as they are about to be booked. exclude: a booking that does not count.
    """
    rows = Appointment.objects.exclude(kind=Kind.FOLLOW_UP).exclude(status=Appointment.Status.CANCELLED)
    rows = rows.filter(case__patient=case.patient_id, booking__in=Booking.objects.in_force())
    if exclude is not None:
        rows = rows.exclude(booking=exclude)
    starts = rows.values_list("booking__starts_at", flat=True)
    return sum(season.holds_on(timezone.localdate(one)) for one in starts)


def _full_seasons(
    case: Case, kind: str, start: datetime, exclude: Booking | None
) -> list[tuple[datetime, datetime]]:
    """Return the seasons in which the patient has as many appointments as allowed, as starts and ends."""
    if kind == Kind.FOLLOW_UP:
        return []
    first = timezone.localdate(start)
    return [
        (clock_moment(season.first, time(0)), clock_moment(season.last + timedelta(days=1), time(0)))
        for season in seasons_between(first, first + timedelta(days=DAYS_AHEAD))
        if season.appointments_per_patient is not None
        and appointments_in(case, season, exclude=exclude) >= season.appointments_per_patient
    ]


def due_day(case: Case, template: AppointmentTemplate) -> datetime | None:
    """Return the beginning of the day from which a waiting follow-up is due; None if none waits."""
    task = DeskTask.objects.open().filter(case=case, template=template).order_by("due").first()
    return clock_moment(task.due, time(0)) if task and task.due else None


def first_allowed(case: Case, template: AppointmentTemplate) -> datetime:
    """Return the first moment that is offered: now, or the day of a follow-up that waits."""
    now = timezone.now()
    return max(now, due_day(case, template) or now)


def offered_times(
    case: Case,
    values: TemplateValues,
    among: Sequence[Resource],
    *,
    start: datetime,
    duration: timedelta | None = None,
    exclude: Booking | None = None,
    clocks: Sequence[time] = CLOCKS,
    weekdays: Collection[int] | None = None,
    days: int = DAYS_AHEAD,
) -> list[Offer]:
    """Return the next times at which the patient and all that is needed are free; [] if there are none.

    Days of a season in which the patient has as many appointments as allowed are left out.

    among: the resources that may be chosen. start: not before this moment. duration: by default that of
    `values`. exclude: the booking that is to be moved. clocks, weekdays: when it may begin, by default also
    in the extra hours of a season; weekdays are numbered from 0, Monday; None: on any. days: how far ahead
    times are looked for.
    """
    duration = duration or timedelta(minutes=values.minutes)
    wanted = wanted_for(values, among)
    if not wanted or any(len(row.among) < row.count for row in wanted):
        return []
    found = next_offers(
        wanted,
        duration,
        start=start,
        clocks=clocks,
        in_extra_hours=clocks == CLOCKS,
        never_in=_full_seasons(case, values.kind, start, exclude),
        exclude=exclude,
        knows=people_who_know(case),
        weekdays=weekdays,
        days=days,
        limit=TIMES + SPARE,
    )
    own = [one for one in bookings_of(case) if exclude is None or one.pk != exclude.pk]
    free = [
        offer
        for offer in found
        if not any(one.starts_at < offer.ends_at and one.occupied_until > offer.starts_at for one in own)
    ]
    return free[:TIMES]
