"""Releases the people and things of nights that were not started in their hours, and tells of it once.

Whether a night is missed is derived from its hours (readiness.py); nothing stores it. A missed night stays
booked until somebody moves or cancels it.
"""

from uuid import UUID

from django.db import transaction
from django.db.models.functions import Now

from clinic.audit.record import Act, actor_of, record
from clinic.calendar.bookings import release_missed
from erasure.procedures.mails import tell_of_night
from erasure.procedures.models import Procedure


def end_missed() -> int:
    """Release and tell of the nights that were missed since the last call. Return how many there were.

    Several supervisors may call it at once; each night is told of once.
    """
    passed = Procedure.objects.filter(
        state=Procedure.State.BOOKED,
        booking__ends_at__lte=Now(),
        booking__released_at__isnull=True,
        booking__canceled_at__isnull=True,
    )
    return sum(_end(procedure) for procedure in passed.values_list("pk", flat=True))


@transaction.atomic
def _end(procedure_id: UUID) -> bool:
    """Release and tell of one night. Return False if it is no longer booked, or was released or moved."""
    night = Procedure.objects.select_for_update().get(pk=procedure_id)
    if night.state != Procedure.State.BOOKED or not release_missed(night.booking_id):
        return False
    tell_of_night("night-missed", night, by=None)
    record(
        Act(
            "procedure.missed",
            f"procedure:{night.pk}",
            actor=actor_of(None, "supervisor"),
            case=night.case_id,
            details={"from": night.booking.starts_at, "to": night.booking.ends_at},
        )
    )
    return True
