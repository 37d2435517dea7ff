"""The forms of this package that keep drafts: an existing memory, and a new one."""

from django.urls import reverse

from clinic.accounts.models import User
from patients.cases.models import Case
from patients.drafts.forms import DraftForm, FormPlace, id_or_nil, register_form
from patients.memories.models import Memory

NEW_MEMORY = "memory:new"


def memory_draft(memory: Memory) -> str:
    """Return the name of the form of a memory."""
    return f"memory:{memory.pk}"


def _find_memory(person: User, key: str) -> FormPlace | None:
    if key == "new":
        case = Case.objects.current().filter(patient=person).first()
        return (
            FormPlace("patients:memory-new", case.pk, case.pk, reverse("patients:memory-new"))
            if case
            else None
        )
    existing = Memory.objects.exclude(fate=Memory.Fate.ERASED).filter(case__in=Case.objects.current())
    row = existing.filter(pk=id_or_nil(key)).first()
    if row is None:
        return None
    url = reverse("patients:memory", args=[row.pk])
    return FormPlace("patients:memory", row.pk, row.case_id, url, {"memory": row.pk})


register_form("memory", DraftForm(_find_memory))
