"""Who looked at a file: written down each time, read back for the file itself."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import transaction

from clinic.accounts.models import User
from clinic.audit.models import Entry
from clinic.audit.record import Act, actor_of, record
from patients.cases.models import Case

LOOKED = ("file.viewed", "keepsake.unblurred")


@dataclass(frozen=True)
class Look:
    """One person's latest look at a file."""

    who: str
    at: datetime


@transaction.atomic
def viewed(case: Case, page: str, *, by: User) -> None:
    """Write down that `by` opened `page` (a URL's name) of a file. A patient's own looks are no news."""
    if by.pk != case.patient_id:
        record(
            Act("file.viewed", f"case:{case.pk}", actor=actor_of(by), case=case.pk, details={"page": page})
        )


def looks(case: Case, most: int = 5) -> list[Look]:
    """Who looked at a file, each person once, the latest first."""
    latest: dict[UUID, datetime] = {}
    entries = Entry.objects.filter(case=case.pk, action__in=LOOKED, actor__startswith="user:")
    for actor, at in entries.order_by("-index").values_list("actor", "at")[:200]:
        latest.setdefault(UUID(actor.removeprefix("user:")), at)
    people = User.objects.in_bulk(list(latest)[:most])
    return [Look(people[pk].name, at) for pk, at in latest.items() if pk in people]
