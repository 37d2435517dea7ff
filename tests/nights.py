"""Nights booked at a time of the test's choice."""

from datetime import date, time, timedelta

from clinic.calendar.board import at_clock
from clinic.calendar.models import Resource
from erasure.procedures.booking import book_procedure
from erasure.procedures.models import Procedure
from tests.factories import (
    make_case,
    make_doctor,
    make_keepsake,
    make_memory,
    make_room,
    make_signed,
    make_technician,
)


def book_night(
    day: date, room: Resource | None = None, *, begins: time = time(20), hours: float = 8
) -> Procedure:
    """Book the night of a new case from `begins` on, with a doctor and a technician of its own."""
    case = make_case()
    make_keepsake(make_memory(case))
    make_signed(case)
    doctor, start = make_doctor(), at_clock(day, begins)
    return book_procedure(
        case,
        place=Procedure.Place.CLINIC,
        resources=[
            *Resource.objects.filter(user__in=[doctor, make_technician()]),
            room or make_room(),
        ],
        starts_at=start,
        ends_at=start + timedelta(hours=hours),
        pace_seconds=6,
        by=doctor,
    )
