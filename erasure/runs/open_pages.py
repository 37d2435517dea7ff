"""Who has a session's page open: their page says so every few seconds, and who falls silent has left."""

from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models.functions import Now

from clinic.accounts.models import User
from erasure.runs.models import Attendance
from erasure.runs.run_actions import after

GRAIN = 5.0  # seconds: a row isn't written more often
LEFT_AFTER = 25.0  # seconds of silence


def attend(run_id: UUID, user: User) -> None:
    """Note that `user` has the page of a run open."""
    mine = Attendance.objects.filter(run_id=run_id, user=user)
    if mine.filter(seen_at__lt=after(-GRAIN)).update(seen_at=Now()) or mine.exists():
        return
    try:
        with transaction.atomic():
            Attendance.objects.create(run_id=run_id, user=user, seen_at=Now())
    except IntegrityError:  # another tab of theirs was faster
        return


def attending(run_id: UUID) -> list[User]:
    """Whose page is open now, and whose account still is; the longest known first."""
    here = Attendance.objects.filter(run_id=run_id, seen_at__gt=after(-LEFT_AFTER), user__is_active=True)
    return [row.user for row in here.select_related("user").order_by("pk")]
