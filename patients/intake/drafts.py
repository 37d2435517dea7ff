"""The forms of the intake that keep drafts: each of its steps."""

from django.urls import reverse

from clinic.accounts.models import User
from patients.cases.models import Case
from patients.drafts.forms import DraftForm, FormPlace, register_form
from patients.intake.questions import STEP_BY_KEY, Step


def step_draft(step: Step) -> str:
    """Return the name of the form of a step."""
    return f"intake:{step.key}"


def _find_step(person: User, key: str) -> FormPlace | None:
    case = Case.objects.current().filter(patient=person).first()
    if case is None or key not in STEP_BY_KEY:
        return None
    return FormPlace("patients:intake", case.pk, case.pk, f"{reverse('patients:intake')}?step={key}")


register_form("intake", DraftForm(_find_step))
