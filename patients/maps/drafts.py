"""The forms of the mapping bench that keep drafts: a memory, a new memory's title, and the chapters."""

from uuid import UUID

from django.urls import reverse

from clinic.accounts.models import User
from patients.cases.models import Case
from patients.drafts.forms import DraftForm, FormPlace, id_or_nil, register_form
from patients.keepsakes.models import Keepsake
from patients.memories.models import Memory


def mapping_draft(memory: UUID) -> str:
    """Return the name of the form of a memory on the bench."""
    return f"mapping:{memory}"


def place_draft(keepsake: UUID) -> str:
    """Return the name of the form that places a keepsake in a memory."""
    return f"place:{keepsake}"


def chapters_draft(case: UUID) -> str:
    """Return the name of the form of a case's chapters."""
    return f"chapters:{case}"


def _bench(case: UUID, at: UUID | str = "") -> str:
    url = reverse("patients:mapping", args=[case])
    return f"{url}?at={at}" if at else url


def _find_mapping(person: User, key: str) -> FormPlace | None:
    there = Memory.objects.exclude(fate=Memory.Fate.ERASED).filter(case__in=Case.objects.current())
    row = there.filter(pk=id_or_nil(key)).first()
    if row is None:
        return None
    return FormPlace(
        "patients:mapping", row.pk, row.case_id, _bench(row.case_id, row.pk), {"case": row.case_id}
    )


def _find_place(person: User, key: str) -> FormPlace | None:
    there = Keepsake.objects.filter(gone_at__isnull=True, case__in=Case.objects.current())
    if (row := there.filter(pk=id_or_nil(key)).first()) is None:
        return None
    return FormPlace(
        "patients:map-place",
        row.pk,
        row.case_id,
        _bench(row.case_id, row.pk),
        {"case": row.case_id, "keepsake": row.pk},
    )


def _find_chapters(person: User, key: str) -> FormPlace | None:
    case = Case.objects.current().filter(pk=id_or_nil(key)).first()
    return (
        FormPlace("patients:map-chapters", case.pk, case.pk, _bench(case.pk), {"case": case.pk})
        if case
        else None
    )


register_form("mapping", DraftForm(_find_mapping))
register_form("place", DraftForm(_find_place))
register_form("chapters", DraftForm(_find_chapters))
