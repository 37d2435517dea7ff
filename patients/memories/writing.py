"""Creates and changes the patient's memories, until the map is locked."""

import dataclasses
from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Q

from clinic.accounts.models import User
from clinic.audit.record import Act, acting, actor_of, record
from patients.cases.editing import CaseLocked, open_case_of
from patients.cases.models import Case
from patients.memories.links import CannotChange, link, unlink
from patients.memories.models import Memory, MemoryLink
from patients.vault.objects import new_seal

# The audit actions by which a memory's fields change, to say who did it last.
CHANGES = ("memory.made", "memory.changed", "map.linked", "map.unlinked")


def links_of(memory: Memory) -> set[UUID]:
    """Return the ids of the memories linked to this one."""
    pairs = MemoryLink.objects.filter(Q(a=memory) | Q(b=memory)).values_list("a_id", "b_id")
    return {key for pair in pairs for key in pair} - {memory.pk}


def lock_memory(memory: UUID) -> Memory | None:
    """Lock a memory and its case, and return it as it is now; None if there is none.

    Call in a transaction.
    """
    case = Memory.objects.filter(pk=memory).values_list("case_id", flat=True).first()
    if case is None:
        return None
    Case.objects.select_for_update().get(pk=case)
    rows = Memory.objects.select_for_update(of=("self",)).select_related("case")
    return rows.filter(pk=memory).first()


@transaction.atomic
def write_memory(
    case: Case,
    words: dict[str, Any],
    numbers: dict[str, Any],
    *,
    memory: Memory | None = None,
    links: set[UUID] | None = None,
    by: User,
    lock: Callable[[UUID], Case] = open_case_of,
) -> Memory:
    """Create a memory and return it, or change `memory`.

    words: values for MemoryFields. numbers: intensity, zone and fate, as the forms' numbers() return them.
    links: ids of all linked memories; None leaves the links as they are. lock: the function that locks the
    case's row and raises an error if the map is locked: `open_case_of` for patients,
    `lock_case_with_open_map` for staff.

    Errors: those of `lock`: CaseLocked or CannotChange; Memory.DoesNotExist if `memory` is gone from `case`.
    """
    locked = lock(case.pk)
    row = Memory.objects.select_for_update().get(pk=memory.pk, case=locked) if memory else Memory(case=locked)
    before = row.fate
    for name, value in numbers.items():
        setattr(row, name, value)
    if memory is None:
        row.save(force_insert=True)
        new_seal(case_id=locked.pk, seal_id=row.pk, memory_id=row.pk)
    row.write(dataclasses.replace(row.read(), **words))
    row.save(update_fields=["sealed", *numbers])
    _write_links(locked, row, links, by=by)
    acts = [Act("memory.changed" if memory else "memory.made", f"memory:{row.pk}", case=locked.pk)]
    if row.fate != before:
        action = "memory.kept" if row.fate == Memory.Fate.PROTECTED else "memory.released"
        acts.append(Act(action, f"memory:{row.pk}", case=locked.pk))
    with acting(actor_of(by)):
        record(*acts)
    return row


def _write_links(case: Case, row: Memory, links: set[UUID] | None, *, by: User) -> None:
    """Link the memory to exactly `links`; None leaves its links as they are. Errors: CaseLocked."""
    current = links_of(row)
    wanted = current if links is None else links
    try:
        for other in wanted - current:
            link(case, row.pk, other, by=by)
        for other in current - wanted:
            unlink(case, row.pk, other, by=by)
    except CannotChange as refusal:
        raise CaseLocked(str(refusal)) from refusal
