"""Who has a session page open. It reports every few seconds; without reports a person counts as gone."""

from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models.functions import Now

from clinic.accounts.models import User
from erasure.runs.models import Attendance
from erasure.runs.run_actions import after

WRITE_INTERVAL = 5.0  # seconds; a person's row is not updated more often
LEFT_AFTER = 25.0  # seconds without a report


def attend(run_id: UUID, user: User) -> None:
    """Record that `user` has the page of a run open."""
    mine = Attendance.objects.filter(run_id=run_id, user=user)
    if mine.filter(seen_at__lt=after(-WRITE_INTERVAL)).update(seen_at=Now()) or mine.exists():
        return
    try:
        with transaction.atomic():
            Attendance.objects.create(run_id=run_id, user=user, seen_at=Now())
    except IntegrityError:  # another tab of the same person created the row first
        return


def attending(run_id: UUID) -> list[User]:
    """Return the people with the page open and an active account, in the order they first opened it."""
    here = Attendance.objects.filter(run_id=run_id, seen_at__gt=after(-LEFT_AFTER), user__is_active=True)
    return [row.user for row in here.select_related("user").order_by("pk")]
