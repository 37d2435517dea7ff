"""The demonstration's appointments: visits of this week, some over, one to which nobody came, some ahead."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta

from django.db import transaction
from django.utils import timezone

from clinic.accounts.models import User
from clinic.calendar.board import at_clock
from clinic.calendar.models import QUARTER, Resource
from patients.appointments.booking import book_appointment, hold_appointment
from patients.appointments.models import Appointment, AppointmentTemplate, Kind
from patients.appointments.states import mark_completed, mark_in_progress, mark_no_show
from patients.cases.models import Case

# How long after the loading the first team is free again: until then everybody is in a night.
NIGHT_ENDS = timedelta(hours=3, minutes=15)
LATEST = time(18)  # no visit begins later
DONE, MISSED, AHEAD = "done", "missed", "ahead"


@dataclass(frozen=True)
class Visit:
    """One appointment: who comes, what for, to whom, when, and how it went."""

    patient: str
    kind: Kind
    staff: str
    starts_at: datetime
    outcome: str = AHEAD


def visits_of_week(now: datetime) -> list[Visit]:
    """Return the appointments of the days around `now`, at hours at which their staff are in no night."""
    today = timezone.localdate(now)

    def on(days: int, hour: int, minute: int = 0) -> datetime:
        return at_clock(today + timedelta(days=days), time(hour, minute))

    quarter = now.replace(minute=now.minute - now.minute % 15, second=0, microsecond=0)
    found = [
        Visit("jasper", Kind.MAPPING, "stan", on(-3, 10), DONE),
        Visit("oscar", Kind.VISIT, "lull", on(-2, 9), DONE),
        Visit("wilhelmina", Kind.MAPPING, "patrick", on(-1, 11), DONE),
        Visit("imogen", Kind.VISIT, "mierzwiak", on(-1, 14), MISSED),
        Visit("agnes", Kind.VISIT, "lull", quarter - timedelta(hours=2, minutes=15), DONE),
        Visit("nadia", Kind.VISIT, "hush", quarter - timedelta(hours=1), MISSED),
        Visit("hector", Kind.MAPPING, "wanda", on(1, 9), AHEAD),
        Visit("imogen", Kind.VISIT, "mierzwiak", on(1, 10, 30), AHEAD),
        Visit("oscar", Kind.VISIT, "hush", on(1, 14), AHEAD),
        Visit("wilhelmina", Kind.VISIT, "mierzwiak", on(2, 9, 30), AHEAD),
        Visit("clementine", Kind.FOLLOW_UP, "lull", on(22, 10), AHEAD),
    ]
    later = quarter + NIGHT_ENDS + QUARTER
    if timezone.localtime(later).time() <= LATEST and timezone.localdate(later) == today:
        found.append(Visit("jasper", Kind.VISIT, "hush", later, AHEAD))
    return found


@transaction.atomic
def make_appointments(people: Mapping[str, User], *, by: User) -> None:
    """Book the appointments as the front desk does, and enter how those that are over went."""
    templates = {one.kind: one for one in AppointmentTemplate.objects.usable()}
    rooms = {
        kind: Resource.objects.get(label="Mapping lab" if kind == Kind.MAPPING else "Consulting 1")
        for kind in Kind
    }
    seats = {one.user_id: one for one in Resource.objects.filter(user__isnull=False)}
    cases = {one.patient_id: one for one in Case.objects.select_related("patient").order_by("opened_at")}
    for visit in visits_of_week(timezone.now()):
        held = hold_appointment(
            cases[people[visit.patient].pk],
            templates[visit.kind],
            resources=[seats[people[visit.staff].pk], rooms[visit.kind]],
            starts_at=visit.starts_at,
            by=by,
        )
        _enter(book_appointment(held, by=by), visit.outcome, by)


def _enter(appointment: Appointment, outcome: str, by: User) -> None:
    """Enter how an appointment went, with the times that fit its hours."""
    begins, ends = appointment.booking.starts_at, appointment.booking.ends_at
    rows = Appointment.objects.filter(pk=appointment.pk)
    if outcome == DONE:
        mark_in_progress(appointment, by=by)
        mark_completed(appointment, by=by)
        rows.update(arrived_at=begins - timedelta(minutes=5), started_at=begins, completed_at=ends)
    elif outcome == MISSED:
        mark_no_show(appointment, by=by)
        rows.update(missed_at=begins + timedelta(minutes=20))
