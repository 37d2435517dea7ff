"""Appointments in tests: a template, people and a room for it, and an appointment in any state."""

import importlib
from datetime import datetime, timedelta
from typing import Any

from django.apps import apps
from django.utils import timezone

from clinic.accounts.models import Role, User
from clinic.calendar.models import Resource
from patients.appointments.booking import book_appointment, hold_appointment
from patients.appointments.models import Appointment, AppointmentTemplate
from patients.cases.models import Case
from tests.factories import make_case, make_doctor, make_room, make_user


def make_first_templates() -> None:
    """Create the templates of a new installation again, after a flush has removed them."""
    AppointmentTemplate.objects.all().delete()
    importlib.import_module("patients.migrations.0012_appointments").add_templates(apps, None)


def make_template(name: str = "Talk", **values: Any) -> AppointmentTemplate:
    """A template of half an hour with a doctor and a room."""
    values = {"kind": "visit", "minutes": 30, "doctors": 1, **values}
    return AppointmentTemplate.objects.get_or_create(name=name, defaults=values)[0]


def make_team() -> list[Resource]:
    """A doctor and a room."""
    return [make_doctor().resources.get(), make_room()]


def make_held(
    case: Case | None = None,
    *,
    starts_at: datetime | None = None,
    team: list[Resource] | None = None,
    by: User | None = None,
    **values: Any,
) -> Appointment:
    """A held appointment, by default one that began ten minutes ago. values: fields of its template."""
    return hold_appointment(
        case or make_case(),
        make_template(**values),
        resources=team or make_team(),
        starts_at=starts_at or timezone.now() - timedelta(minutes=10),
        by=by or make_user(Role.RECEPTIONIST),
    )


def make_appointment(case: Case | None = None, **options: Any) -> Appointment:
    """A booked appointment, by default one that began ten minutes ago. options: as for `make_held`."""
    by = options.pop("by", None) or make_user(Role.RECEPTIONIST)
    booked = book_appointment(make_held(case, by=by, **options), by=by)
    return Appointment.objects.with_booking().get(pk=booked.pk)
