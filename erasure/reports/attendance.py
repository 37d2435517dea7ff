"""Counts the bookings of each kind whose time is over, and those to which nobody came."""

from dataclasses import dataclass

from django.db.models import Count, Q
from django.utils import timezone

from clinic.calendar.models import Booking
from erasure.procedures.models import Procedure
from erasure.reports.spans import Span
from patients.appointments.models import Appointment


@dataclass(frozen=True)
class Attendance:
    """The bookings of a span whose time is over. missed: those of them to which nobody came."""

    due: int = 0
    missed: int = 0


def nights(span: Span) -> Attendance:
    """Count the nights whose booked time is over, without canceled ones. Missed: never started."""
    past = Procedure.objects.filter(span.contains("booking__starts_at"), booking__ends_at__lt=timezone.now())
    counts = past.exclude(state=Procedure.State.CANCELED).aggregate(
        due=Count("pk"), missed=Count("pk", filter=Q(state=Procedure.State.BOOKED))
    )
    return Attendance(**counts)


def appointments(span: Span) -> dict[str, Attendance]:
    """Count by kind the appointments whose booked time is over. Missed: entered as "did not come"."""
    rows = Appointment.objects.made().exclude(status=Appointment.Status.CANCELLED)
    past = rows.filter(span.contains("booking__starts_at"), booking__ends_at__lt=timezone.now())
    counts = past.values("kind").annotate(
        due=Count("pk"), missed=Count("pk", filter=Q(status=Appointment.Status.NO_SHOW))
    )
    return {row["kind"]: Attendance(row["due"], row["missed"]) for row in counts.order_by("kind")}


def attendance(span: Span) -> dict[str, Attendance]:
    """Return the attendance by kind, for every kind of booking. Takes two queries."""
    found = appointments(span) | {str(Booking.Kind.ERASURE): nights(span)}
    return {kind: found.get(kind, Attendance()) for kind in Booking.Kind.values}
