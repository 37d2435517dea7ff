"""The forms of this package that keep drafts: a patient's message, and an answer of the clinic.

Each may be about one keepsake. Then its draft is also sealed under the keepsake's key, and lost with it.
"""

from uuid import UUID

from django.urls import reverse

from clinic.accounts.models import User
from patients.cases.models import Case
from patients.drafts.forms import DraftForm, FormPlace, NotEditable, id_or_nil, register_form
from patients.keepsakes.models import Keepsake
from patients.messages.sending import why_closed


def message_draft(keepsake: UUID | None) -> str:
    """Return the name of the form in which a patient writes, and of its draft. keepsake: what it is about."""
    return f"message:{keepsake}" if keepsake else "message"


def answer_draft(case: UUID, keepsake: UUID | None) -> str:
    """Return the name of the form in which the clinic answers in the thread of a case, and of its draft."""
    return f"answer:{keepsake or case}"


def _keepsake(key: str) -> Keepsake | None:
    present = Keepsake.objects.filter(gone_at__isnull=True, case__in=Case.objects.current())
    return present.filter(pk=id_or_nil(key)).first()


def _find_message(person: User, key: str) -> FormPlace | None:
    url = reverse("patients:my-messages")
    case = Case.objects.current().filter(patient=person).first()
    if case is None:
        return None
    if not key:
        return FormPlace("patients:my-messages", case.pk, case.pk, url)
    row = _keepsake(key)
    if row is None or row.case_id != case.pk:
        return None
    return FormPlace("patients:my-messages", row.pk, case.pk, f"{url}?keepsake={row.pk}")


def _find_answer(person: User, key: str) -> FormPlace | None:
    row = _keepsake(key)
    case = Case.objects.current().filter(pk=row.case_id if row else id_or_nil(key)).first()
    if case is None:
        return None
    url = reverse("patients:case-messages", args=[case.pk])
    if row is None:
        return FormPlace("patients:case-messages", case.pk, case.pk, url, {"case": case.pk})
    return FormPlace("patients:case-messages", row.pk, case.pk, f"{url}?keepsake={row.pk}", {"case": case.pk})


def _lock(place: FormPlace) -> None:
    """Lock the case. Errors: NotEditable if nothing more can be sent in its thread."""
    if place.case is None:
        raise ValueError("this form belongs to no case")
    case = Case.objects.select_for_update().get(pk=place.case)
    # Only the address of the clinic's form has arguments.
    if closed := why_closed(case, for_patient=not place.kwargs):
        raise NotEditable(closed)


NOT_WORDS = frozenset({"message", "keepsake"})
register_form("message", DraftForm(_find_message, _lock, NOT_WORDS))
register_form("answer", DraftForm(_find_answer, _lock, NOT_WORDS))
