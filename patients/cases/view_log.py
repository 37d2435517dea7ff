"""Records who opened a case's pages, and returns the latest viewers to show them on the case's page."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import transaction

from clinic.accounts.models import User
from clinic.audit.models import Entry
from clinic.audit.record import Act, actor_of, record
from patients.cases.models import Case

VIEW_ACTIONS = ("file.viewed", "keepsake.unblurred")


@dataclass(frozen=True)
class View:
    """One person's latest view of a case."""

    who: str
    at: datetime


@transaction.atomic
def viewed(case: Case, page: str, *, by: User) -> None:
    """Record in the audit log that `by` opened `page` of a case. The patient's own views are not recorded.

    page: the page's URL name without the namespace, such as "custody".
    """
    if by.pk != case.patient_id:
        record(
            Act("file.viewed", f"case:{case.pk}", actor=actor_of(by), case=case.pk, details={"page": page})
        )


def latest_views(case: Case, most: int = 5) -> list[View]:
    """Return at most `most` people who viewed a case, each once, the latest first."""
    latest: dict[UUID, datetime] = {}
    entries = Entry.objects.filter(case=case.pk, action__in=VIEW_ACTIONS, actor__startswith="user:")
    for actor, at in entries.order_by("-index").values_list("actor", "at")[:200]:
        latest.setdefault(UUID(actor.removeprefix("user:")), at)
    people = User.objects.in_bulk(list(latest)[:most])
    return [View(people[pk].name, at) for pk, at in latest.items() if pk in people]
