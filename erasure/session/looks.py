"""Records who watches a session. While it goes on, the entry lets its actor see the session's pictures."""

from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from clinic.accounts.models import User
from clinic.audit.models import Entry
from clinic.audit.record import Act, actor_of, record
from erasure.runs.models import Run

ACTION = "session.viewed"
# A page that is open asks for its state and its stream again; within this time that is the same look.
SAME_LOOK = timedelta(minutes=10)


@transaction.atomic
def record_session_look(run: Run, page: str, *, by: User, opened: bool = False) -> None:
    """Record that `by` watches a session. The patient's own looks are not recorded.

    run: loaded with its procedure and case. page: "session", "state" or "live". opened: the page was opened
    by a person, so it is recorded in any case; otherwise only if the last entry is older than `SAME_LOOK`.
    """
    case = run.procedure.case
    if by.pk == case.patient_id:
        return
    actor, since = actor_of(by), timezone.now() - SAME_LOOK
    earlier = Entry.objects.filter(action=ACTION, run=run.pk, actor=actor, at__gt=since)
    if opened or not earlier.exists():
        record(Act(ACTION, f"run:{run.pk}", actor=actor, case=case.pk, run=run.pk, details={"page": page}))
