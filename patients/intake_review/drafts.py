"""The form of this package that keeps drafts: a doctor's review of one case's intake."""

from uuid import UUID

from django.urls import reverse

from clinic.accounts.models import User
from patients.cases.models import Case
from patients.drafts.forms import DraftForm, FormPlace, NotEditable, id_or_nil, register_form
from patients.intake_review.reviewing import CannotReview, lock_reviewable


def review_draft(case: UUID) -> str:
    """Return the name of the form in which a doctor reviews the intake of a case."""
    return f"intake-review:{case}"


def _find(person: User, key: str) -> FormPlace | None:
    case = Case.objects.current().filter(pk=id_or_nil(key)).first()
    if case is None:
        return None
    url = reverse("patients:intake-review", args=[case.pk])
    return FormPlace("patients:intake-review", case.pk, case.pk, url, {"case": case.pk})


def _lock(place: FormPlace) -> None:
    """Lock the case. Errors: NotEditable if nothing of it is reviewed any more."""
    try:
        lock_reviewable(place.about)
    except CannotReview as refusal:
        raise NotEditable(str(refusal)) from refusal


register_form("intake-review", DraftForm(_find, _lock))
