"""What is changed on the bench, before the map is locked."""

import dataclasses
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from clinic.accounts.models import User
from clinic.audit.record import Act, actor_of, record
from patients.cases.models import Case
from patients.keepsakes.models import Keepsake
from patients.memories.links import CannotChange, lock_case_with_open_map
from patients.memories.models import Memory
from patients.vault.models import StoredObject
from patients.vault.objects import new_seal


@transaction.atomic
def describe(memory: Memory, words: dict[str, Any], numbers: dict[str, Any], *, by: User) -> Memory:
    """Write what a mapping visit found out about a memory.

    words: fields of MemoryFields. numbers: intensity (0 to 10 or None), zone, fate. Errors: CannotChange.
    """
    case = lock_case_with_open_map(memory.case_id)
    row = Memory.objects.select_for_update().get(pk=memory.pk, case=case)
    before = row.fate
    for name, value in numbers.items():
        setattr(row, name, value)
    row.write(dataclasses.replace(row.read(), **words))
    row.save(update_fields=["sealed", *numbers])
    actor = actor_of(by)
    acts = [Act("memory.changed", f"memory:{row.pk}", actor=actor, case=case.pk)]
    if row.fate != before:
        action = "memory.kept" if row.fate == Memory.Fate.PROTECTED else "memory.released"
        acts.append(Act(action, f"memory:{row.pk}", actor=actor, case=case.pk))
    record(*acts)
    return row


@transaction.atomic
def place(keepsake: Keepsake, memory: Memory | None, title: str = "", *, by: User) -> Memory:
    """Put a keepsake into `memory`, or into a new one called `title`. Errors: CannotChange."""
    case = lock_case_with_open_map(keepsake.case_id)
    row = Keepsake.objects.select_for_update().get(pk=keepsake.pk)
    if row.gone_at:
        raise CannotChange(_("The patient has taken this one back. It is destroyed."))
    actor = actor_of(by)
    acts = []
    if memory is None:
        if not title.strip():
            raise CannotChange(_("Choose a memory, or give a new one a title."))
        memory = Memory.objects.create(case=case)
        new_seal(case_id=case.pk, seal_id=memory.pk, memory_id=memory.pk)
        memory.write(Memory.sealed_fields(title=title.strip()))
        memory.save(update_fields=["sealed"])
        acts.append(Act("memory.made", f"memory:{memory.pk}", actor=actor, case=case.pk))
    if memory.case_id != case.pk:
        raise CannotChange(_("That memory is not in this file."))
    Keepsake.objects.filter(pk=row.pk).update(memory=memory)
    # Stored objects go with their keepsake: one that still named the old memory would end with that.
    StoredObject.objects.filter(keepsake=row).update(memory=None)
    acts.append(
        Act(
            "keepsake.changed",
            f"keepsake:{row.pk}",
            actor=actor,
            case=case.pk,
            details={"memory": memory.pk},
        )
    )
    record(*acts)
    return memory


@transaction.atomic
def name_chapters(case: Case, chapters: list[dict[str, str]], *, by: User) -> None:
    """Write the spans the patient names. Errors: CannotChange."""
    locked = lock_case_with_open_map(case.pk)
    locked.write(dataclasses.replace(locked.read(), chapters=chapters))
    locked.save(update_fields=["sealed"])
    record(
        Act(
            "map.chapters",
            f"case:{locked.pk}",
            actor=actor_of(by),
            case=locked.pk,
            details={"count": len(chapters)},
        )
    )
