"""Links between memories: which one calls up which, until the map is locked."""

from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext as _

from clinic.accounts.models import User
from clinic.audit.record import Act, actor_of, record
from patients.cases.models import Case
from patients.memories.models import Memory, MemoryLink


class CannotChange(Exception):
    """The map cannot be changed like this; the message says why in plain words."""


def open_map_of(case: UUID) -> Case:
    """Lock a case whose map is still open, and return it. Call inside a transaction. Errors: CannotChange."""
    locked = Case.objects.select_for_update().get(pk=case)
    if not locked.takes_keepsakes:
        raise CannotChange(_("The map is locked. Open it again before changing it."))
    return locked


def _pair(case: Case, one: UUID, other: UUID) -> tuple[UUID, UUID]:
    if one == other:
        raise CannotChange(_("A memory is not linked to itself."))
    if Memory.objects.filter(case=case, pk__in=[one, other]).count() != 2:
        raise CannotChange(_("That memory is not in this file."))
    # As the database compares them: a UUID is text of equal length in SQLite and bytes in PostgreSQL.
    return (one, other) if one.hex < other.hex else (other, one)


@transaction.atomic
def link(case: Case, one: UUID, other: UUID, *, by: User) -> None:
    """Note that two memories call each other up. Linking them again changes nothing. Errors: CannotChange."""
    locked = open_map_of(case.pk)
    a, b = _pair(locked, one, other)
    _link, made = MemoryLink.objects.get_or_create(a_id=a, b_id=b)
    if made:
        record(Act("map.linked", f"memory:{one}", actor=actor_of(by), case=case.pk, details={"with": other}))


@transaction.atomic
def unlink(case: Case, one: UUID, other: UUID, *, by: User) -> None:
    """Take a link away. Errors: CannotChange."""
    locked = open_map_of(case.pk)
    a, b = _pair(locked, one, other)
    if MemoryLink.objects.filter(a_id=a, b_id=b).delete()[0]:
        record(
            Act("map.unlinked", f"memory:{one}", actor=actor_of(by), case=case.pk, details={"with": other})
        )
