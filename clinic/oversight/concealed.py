"""What the audit pages conceal: patients' names, and that a member of staff is patient or subject of a case.

Patients are shown by file number. A member of staff can also be a patient. Entries about their work show
their name. Entries about their own case do not, and are not found by their name. An export has the entries as
they were hashed, with the actor's id. So it leaves out the content of entries about their own case.
"""

from collections.abc import Iterable
from uuid import UUID

from django.db.models import Exists, OuterRef, Q

from clinic.access.relations import hidden_cases
from clinic.accounts.models import STAFF_ROLES, Role, User
from clinic.audit.models import Entry, EntryQuerySet


def readable_by(user: User, entries: EntryQuerySet) -> EntryQuerySet:
    """Return those of `entries` that `user` may read: none of cases in which they are patient or subject.

    It compares the user with every case of `entries`, which takes long for many. A page uses `readable_rows`.
    """
    cases = set(entries.order_by().values_list("case", flat=True).distinct())
    return entries.visible_to(user).exclude(case__in=hidden_cases(user, cases))


def readable_rows(user: User, entries: Iterable[Entry]) -> list[Entry]:
    """Return those of the entries of a page that `user` may read."""
    rows = list(entries)
    hidden = hidden_cases(user, (row.case for row in rows))
    return [row for row in rows if row.case not in hidden]


def without_concealed(entries: EntryQuerySet) -> EntryQuerySet:
    """Return `entries` without those that reveal that a member of staff is patient or subject of a case."""
    # Not exclude(): with a condition on a key of `details` it would also drop entries without that key. Not a
    # subquery of all concealed entries either: every search would read all of them. This looks up each entry.
    concealed = Entry.objects.filter(_concealed_condition(), pk=OuterRef("pk"))
    return entries.filter(~Exists(concealed))


def _concealed_condition() -> Q:
    """Return the condition of the entries that `without_concealed` leaves out."""
    condition = Q(action="access.denied", details__because="conflict")
    # Staff are few, so their ids are fetched first. A single query for both roles might read all patients.
    staff = list(User.objects.filter(grants__role__in=STAFF_ROLES).values_list("pk", flat=True))
    colleagues = User.objects.filter(pk__in=staff, grants__role=Role.PATIENT)
    for pk, case in set(colleagues.values_list("pk", "cases")):
        condition |= Q(action="person.joined", subject=f"user:{pk}", details__role=str(Role.PATIENT))
        if case:
            condition |= Q(actor=f"user:{pk}", case=case)
    return condition


def patients_of(entries: Iterable[Entry]) -> dict[UUID, str]:
    """Return the patient of each case in `entries`, as "user:<uuid>", by the id of the case."""
    wanted = {entry.case for entry in entries if entry.case}
    rows = User.objects.filter(cases__in=wanted).values_list("cases__pk", "pk")
    return {case: f"user:{pk}" for case, pk in rows}


def acts_as_patient(entry: Entry, patients: dict[UUID, str]) -> bool:
    """Return whether the actor of an entry acted in their own case, or joined as a patient."""
    if entry.action == "person.joined":
        return bool(entry.details.get("role") == Role.PATIENT)
    return entry.case is not None and patients.get(entry.case) == entry.actor


def is_conflict(entry: Entry) -> bool:
    """Return whether an entry reveals that the actor is patient or subject of the case."""
    return entry.action == "access.denied" and entry.details.get("because") == "conflict"
