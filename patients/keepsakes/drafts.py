"""The forms of this package that keep drafts: a typed letter, a keepsake, and why one is returned."""

from uuid import UUID

from django.urls import reverse

from clinic.accounts.models import User
from patients.cases.models import Case
from patients.drafts.forms import DraftForm, FormPlace, id_or_nil, register_form
from patients.keepsakes.models import Keepsake

LETTER = "letter"


def keepsake_draft(keepsake: UUID) -> str:
    """Return the name of the form in which the patient describes a keepsake."""
    return f"keepsake:{keepsake}"


def return_draft(keepsake: UUID) -> str:
    """Return the name of the form that returns a keepsake to the patient."""
    return f"review:{keepsake}"


def _find_letter(person: User, key: str) -> FormPlace | None:
    case = Case.objects.current().filter(patient=person).first()
    return (
        FormPlace("patients:upload-form", case.pk, case.pk, reverse("patients:keepsakes"))
        if case and not key
        else None
    )


def _keepsake(key: str) -> Keepsake | None:
    there = Keepsake.objects.filter(gone_at__isnull=True, case__in=Case.objects.current())
    return there.filter(pk=id_or_nil(key)).first()


def _find_keepsake(person: User, key: str) -> FormPlace | None:
    if (row := _keepsake(key)) is None:
        return None
    return FormPlace(
        "patients:keepsake",
        row.pk,
        row.case_id,
        reverse("patients:keepsake", args=[row.pk]),
        {"keepsake": row.pk},
    )


def _find_return(person: User, key: str) -> FormPlace | None:
    if (row := _keepsake(key)) is None:
        return None
    url = f"{reverse('patients:review', args=[row.case_id])}?show={row.review}"
    return FormPlace(
        "patients:review-decide", row.pk, row.case_id, url, {"case": row.case_id, "keepsake": row.pk}
    )


register_form(LETTER, DraftForm(_find_letter))
register_form("keepsake", DraftForm(_find_keepsake))
register_form("review", DraftForm(_find_return))
