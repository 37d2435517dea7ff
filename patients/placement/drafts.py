"""The form below the sheet keeps a draft of its words, and not what is ticked."""

from django.urls import reverse

from clinic.accounts.models import User
from patients.cases.models import Case
from patients.drafts.forms import DraftForm, FormPlace, register_form

PLACEMENT = "placement"


def _find(person: User, key: str) -> FormPlace | None:
    case = Case.objects.current().filter(patient=person).first()
    if case is None or key:
        return None
    return FormPlace("patients:sheet", case.pk, case.pk, reverse("patients:sheet"))


register_form(PLACEMENT, DraftForm(_find, not_kept=frozenset({"keepsake", "show", "proposed"})))
