"""What the patient writes of a memory, until the map is locked."""

import dataclasses
from typing import Any

from django.db import transaction

from clinic.audit.record import Act, actor_of, record
from clinic.people.models import User
from patients.cases.models import Case
from patients.keepsakes.arrivals import NotTaken
from patients.keepsakes.removal import LOCKED
from patients.memories.models import Memory
from patients.vault.objects import new_seal


def open_case_of(case: Case) -> Case:
    """Lock a case whose map is still open. Call inside a transaction. Errors: NotTaken."""
    locked = Case.objects.select_for_update().get(pk=case.pk)
    if not locked.takes_keepsakes:
        raise NotTaken(str(LOCKED))
    return locked


@transaction.atomic
def write_memory(
    case: Case, words: dict[str, Any], numbers: dict[str, Any], *, memory: Memory | None = None, by: User
) -> Memory:
    """Make a memory or change one. `words`: fields of MemoryPaper; `numbers`: intensity, zone, fate.

    Errors: NotTaken once the map is locked.
    """
    locked = open_case_of(case)
    action = "memory.changed" if memory else "memory.made"
    row = memory or Memory(case=locked)
    for name, value in numbers.items():
        setattr(row, name, value)
    if memory is None:
        row.save(force_insert=True)
        new_seal(case_id=locked.pk, seal_id=row.pk, memory_id=row.pk)
    row.write(dataclasses.replace(row.read(), **words))
    row.save(update_fields=["sealed", *numbers])
    record(Act(action, f"memory:{row.pk}", actor=actor_of(by), case=locked.pk))
    return row
