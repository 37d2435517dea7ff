"""People and moments for tests about calls, presence and handing over."""

from datetime import timedelta

from django.db.models.functions import Now
from django.utils import timezone

from clinic.audit.models import Entry
from clinic.calendar.bookings import book
from clinic.calendar.models import Resource
from clinic.people.models import Role, User
from erasure.runs.acting import after
from erasure.runs.models import DoctorCall, Event, PresenceCheck, Run


def one_of(run: Run, role: str) -> User:
    """The doctor or technician booked for a night."""
    return User.objects.get(resources__bookings=run.procedure.booking, grants__role=role)


def doctor_of(run: Run) -> User:
    return one_of(run, Role.DOCTOR)


def technician_of(run: Run) -> User:
    return one_of(run, Role.TECHNICIAN)


def kinds(run: Run, *but: str) -> list[str]:
    """What was told of a run, in order."""
    return [kind for kind in Event.objects.filter(run=run).values_list("kind", flat=True) if kind not in but]


def acts(run: Run, action: str) -> list[str]:
    """Who did `action` by the log, in order."""
    return list(
        Entry.objects.filter(run=run.pk, action=action).order_by("index").values_list("actor", flat=True)
    )


def due_now(run: Run, *, remind: bool = False, escalate: bool = False) -> None:
    """Let the moments of the open call have come."""
    fields = {name: Now() for name, wanted in (("remind_at", remind), ("escalate_at", escalate)) if wanted}
    assert DoctorCall.objects.filter(run=run, acknowledged_at__isnull=True).update(**fields) == 1


def unattended(run: Run, minutes: float = 60) -> None:
    """Nobody of the team has shown themselves for so long."""
    Run.objects.filter(pk=run.pk).update(attended_at=after(-60 * minutes))


def overdue(run: Run) -> None:
    """Let the grace of the open question have passed."""
    assert PresenceCheck.objects.filter(run=run).update(due_at=after(-1)) == 1


def elsewhere(person: User, run: Run, by: User) -> None:
    """Book a technician for something else during the rest of this night."""
    now = timezone.now()
    book(
        kind="visit",
        resources=list(Resource.objects.filter(user=person)),
        starts_at=now + timedelta(hours=1),
        ends_at=now + timedelta(hours=2),
        by=by,
    )
