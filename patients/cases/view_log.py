"""Records in the audit log who viewed a case's pages, and returns these views for staff and the patient."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.utils.functional import Promise

from clinic.accounts.models import User
from clinic.audit.actions import ACTIONS
from clinic.audit.models import Entry, EntryQuerySet
from clinic.audit.record import Act, actor_of, record
from patients.cases.models import Case

# Audit actions that say that somebody viewed data of a case. Higher packages add theirs.
VIEW_ACTIONS = {"file.viewed"}
# The words for the reasons in these entries, by code.
REASONS: dict[str, str | Promise] = {}


def register(actions: Collection[str], reasons: Mapping[str, str | Promise]) -> None:
    """Add audit actions that say that somebody viewed data of a case, and the words of their reasons by code.

    Call it at import time of a module that is always loaded.
    """
    VIEW_ACTIONS.update(actions)
    REASONS.update(reasons)


@dataclass(frozen=True)
class View:
    """One view of a case by one person.

    what: the words of the audit action. why: the reason in words; "" if none was asked for.
    """

    who: str
    at: datetime
    what: str | Promise = ""
    why: str | Promise = ""


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
    latest: dict[UUID, Entry] = {}
    for entry in view_entries([case])[:200]:  # older entries are not searched for more people
        latest.setdefault(_viewer_id(entry), entry)
    return views_of(list(latest.values())[:most])


def view_entries(cases: Iterable[Case]) -> EntryQuerySet:
    """Return the audit entries of all views of these cases by staff, the latest first."""
    looks = Entry.objects.filter(case__in=[case.pk for case in cases], action__in=VIEW_ACTIONS)
    return looks.filter(actor__startswith="user:").order_by("-index")


def views_of(entries: Sequence[Entry]) -> list[View]:
    """Return a `View` for each audit entry, in the same order. The people are loaded in one query."""
    people = User.objects.in_bulk({_viewer_id(entry) for entry in entries})
    return [
        View(
            people[_viewer_id(entry)].name,
            entry.at,
            ACTIONS[entry.action].words if entry.action in ACTIONS else entry.action,
            REASONS.get(entry.reason, entry.reason),
        )
        for entry in entries
        if _viewer_id(entry) in people
    ]


def _viewer_id(entry: Entry) -> UUID:
    return UUID(entry.actor.removeprefix("user:"))
