"""The lines of the set-up page on working hours, and on a week without a doctor."""

from collections.abc import Sequence
from datetime import timedelta

from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from clinic.availability.models import WorkingHours
from clinic.availability.timetables import Grid, holder_of, load_timetables
from clinic.calendar.models import Resource
from clinic.setup.checklist import Line, register_lines

WEEK = timedelta(days=7)


def hours_lines() -> Sequence[Line]:
    """Return the line on working hours; if there are doctors, also whether one works in the next week."""
    people = list(Resource.objects.filter(in_use=True, user__isnull=False).select_related("user"))
    with_hours = set(
        WorkingHours.objects.filter(resource__user__isnull=False).values_list("resource__user", flat=True)
    )
    without = {holder_of(one) for one in people} - with_hours
    text = ngettext(
        "One person has no working hours yet, and can be booked at any time.",
        "%(count)d people have no working hours yet, and can be booked at any time.",
        len(without),
    ) % {"count": len(without)}
    lines = [
        Line(
            "hours",
            _("Working hours"),
            text if without else _("Times are offered within the hours of everybody who is needed."),
            bool(people) and not without,
            url=reverse("hours"),
            label=_("Hours and absences"),
        )
    ]
    doctors = [one for one in people if one.kind == Resource.Kind.DOCTOR]
    if doctors:
        lines.append(_next_week(doctors))
    return lines


def _next_week(doctors: Sequence[Resource]) -> Line:
    now = timezone.now()
    grid = Grid.around(now, now + WEEK, timedelta())
    has_open_hours = any(table.open_bits() for table in load_timetables(doctors, grid).values())
    return Line(
        "doctor-next-week",
        _("A doctor in the next seven days"),
        _("Without a doctor no night can be booked, and nobody answers a call."),
        has_open_hours,
        url=reverse("hours"),
        label=_("Hours and absences"),
    )


register_lines("hours", hours_lines)
