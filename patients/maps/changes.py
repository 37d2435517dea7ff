"""Changes that staff make on the mapping bench, until the map is locked."""

import dataclasses

from django.db import transaction
from django.utils.translation import gettext as _

from clinic.accounts.models import User
from clinic.audit.record import Act, actor_of, record
from clinic.edits.seen import is_seen, seen_mark
from patients.cases.models import Case
from patients.keepsakes.models import Keepsake
from patients.memories.links import CannotChange, lock_case_with_open_map
from patients.memories.models import Memory
from patients.memories.writing import write_memory
from patients.vault.models import StoredObject


def place_mark(keepsake: Keepsake) -> str:
    """Return the mark of where a keepsake lies, for the page on which it can be placed elsewhere."""
    return seen_mark(f"place:{keepsake.pk}", keepsake.memory_id)


@transaction.atomic
def place_keepsake(
    keepsake: Keepsake, memory: Memory | None, title: str = "", *, seen: str | None = None, by: User
) -> Memory:
    """Put a keepsake into `memory`, or into a new one called `title`.

    seen: the `place_mark` on the page; None where no page was shown. Errors: CannotChange, also if the
    keepsake lies elsewhere than the page showed.
    """
    case = lock_case_with_open_map(keepsake.case_id)
    row = Keepsake.objects.select_for_update().get(pk=keepsake.pk)
    if row.gone_at:
        raise CannotChange(_("The patient has taken this one back. It is destroyed."))
    if seen is not None and not is_seen(seen, f"place:{row.pk}", row.memory_id):
        raise CannotChange(_("Somebody has placed it meanwhile. It is shown now where it lies."))
    if memory is None:
        if not title.strip():
            raise CannotChange(_("Choose a memory, or give a new one a title."))
        memory = write_memory(case, {"title": title.strip()}, {}, by=by)
    elif not Memory.objects.select_for_update().filter(pk=memory.pk, case=case).exists():
        raise CannotChange(_("That memory is not in this file."))
    Keepsake.objects.filter(pk=row.pk).update(memory=memory)
    # Stored objects belong to their keepsake. One that still named the old memory would be destroyed with it.
    StoredObject.objects.filter(keepsake=row).update(memory=None)
    record(
        Act(
            "keepsake.changed",
            f"keepsake:{row.pk}",
            actor=actor_of(by),
            case=case.pk,
            details={"memory": memory.pk},
        )
    )
    return memory


@transaction.atomic
def name_chapters(case: Case, chapters: list[dict[str, str]], *, by: User) -> None:
    """Replace the chapters of a case. chapters: as in CaseFields.chapters. Errors: CannotChange."""
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
