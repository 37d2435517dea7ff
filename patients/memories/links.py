"""Creates and removes links between memories. A link means that the two memories remind of each other."""

from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext as _

from clinic.accounts.models import User
from clinic.audit.record import Act, actor_of, record
from patients.cases.editing import CaseLocked, open_case_of
from patients.cases.models import Case
from patients.memories.models import Memory, MemoryLink


class CannotChange(Exception):
    """This change of the map is not possible. The message says why, for the user."""


def lock_case_with_open_map(case: UUID) -> Case:
    """Lock a case's row and return it, for staff. Call in a transaction. Errors: CannotChange: map locked."""
    try:
        return open_case_of(case)
    except CaseLocked:
        raise CannotChange(_("The map is locked. Open it again before changing it.")) from None


def _ordered_pair(case: Case, one: UUID, other: UUID) -> tuple[UUID, UUID]:
    """Return the ids of two memories of `case`, the smaller first. Errors: CannotChange."""
    if one == other:
        raise CannotChange(_("A memory is not linked to itself."))
    if Memory.objects.filter(case=case, pk__in=[one, other]).count() != 2:
        raise CannotChange(_("That memory is not in this file."))
    # The same order as in the database: SQLite compares UUIDs as text of equal length, PostgreSQL as bytes.
    return (one, other) if one.hex < other.hex else (other, one)


@transaction.atomic
def link(case: Case, one: UUID, other: UUID, *, by: User) -> None:
    """Link two memories. Does nothing if they are linked already. Errors: CannotChange."""
    locked = lock_case_with_open_map(case.pk)
    a, b = _ordered_pair(locked, one, other)
    _link, created = MemoryLink.objects.get_or_create(a_id=a, b_id=b)
    if created:
        record(Act("map.linked", f"memory:{one}", actor=actor_of(by), case=case.pk, details={"with": other}))


@transaction.atomic
def unlink(case: Case, one: UUID, other: UUID, *, by: User) -> None:
    """Remove the link between two memories, if there is one. Errors: CannotChange."""
    locked = lock_case_with_open_map(case.pk)
    a, b = _ordered_pair(locked, one, other)
    if MemoryLink.objects.filter(a_id=a, b_id=b).delete()[0]:
        record(
            Act("map.unlinked", f"memory:{one}", actor=actor_of(by), case=case.pk, details={"with": other})
        )
