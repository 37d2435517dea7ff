"""What the readers of the log are not told: patients' names, and that a colleague is patient or subject.

A patient is the file number here. A member of staff who is also a patient has entries of both kinds: those of
their work have their name, those of their own case do not, and cannot be found by it. An exported entry is
what was hashed, with the actor's id, so the export leaves such entries out as hidden ones.
"""

from collections.abc import Iterable
from uuid import UUID

from django.db.models import Q

from clinic.access.relations import hidden_cases
from clinic.accounts.models import STAFF_ROLES, Role, User
from clinic.audit.models import Entry, EntryQuerySet


def readable_by(user: User) -> EntryQuerySet:
    """Return the entries that `user` may read: not of cases in which they are patient or subject."""
    return Entry.objects.visible_to(user).exclude(case__in=hidden_cases(user))


def without_concealed(entries: EntryQuerySet) -> EntryQuerySet:
    """Return `entries` without those that tell that a member of staff is a patient, or in a conflict."""
    # Not exclude(): its condition on a key of `details` would drop entries without that key too.
    return entries.exclude(pk__in=Entry.objects.filter(_concealed()).values("pk"))


def _concealed() -> Q:
    condition = Q(action="access.denied", details__because="conflict")
    colleagues = User.objects.filter(grants__role=Role.PATIENT).filter(grants__role__in=STAFF_ROLES)
    for pk, case in set(colleagues.values_list("pk", "cases")):
        condition |= Q(action="person.joined", subject=f"user:{pk}", details__role=str(Role.PATIENT))
        if case:
            condition |= Q(actor=f"user:{pk}", case=case)
    return condition


def patients_of(entries: Iterable[Entry]) -> dict[UUID, str]:
    """Return the patients of the cases of `entries`, as actors ("user:<uuid>"), by case id."""
    wanted = {entry.case for entry in entries if entry.case}
    rows = User.objects.filter(cases__in=wanted).values_list("cases__pk", "pk")
    return {case: f"user:{pk}" for case, pk in rows}


def acts_as_patient(entry: Entry, patients: dict[UUID, str]) -> bool:
    """Return whether the actor of an entry acted in their own case, or joined as a patient."""
    if entry.action == "person.joined":
        return bool(entry.details.get("role") == Role.PATIENT)
    return entry.case is not None and patients.get(entry.case) == entry.actor


def is_conflict(entry: Entry) -> bool:
    """Return whether an entry tells that the actor is patient or subject of the case."""
    return entry.action == "access.denied" and entry.details.get("because") == "conflict"
