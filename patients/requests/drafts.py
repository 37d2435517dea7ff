"""The form of this package that keeps drafts: the front desk's answer to a request."""

from uuid import UUID

from django.urls import reverse
from django.utils.translation import gettext as _

from clinic.accounts.models import User
from patients.drafts.forms import DraftForm, FormPlace, NotEditable, id_or_nil, register_form
from patients.requests.models import AppointmentRequest


def answer_draft(request: UUID) -> str:
    """Return the name of the form that decides a request."""
    return f"request:{request}"


def _find_answer(person: User, key: str) -> FormPlace | None:
    row = AppointmentRequest.objects.filter(pk=id_or_nil(key)).first()
    return (
        FormPlace("patients:request-decide", row.pk, None, reverse("patients:requests"), {"pk": row.pk})
        if row
        else None
    )


def _lock_waiting(place: FormPlace) -> None:
    """Lock a request. Call in a transaction. Errors: NotEditable if it is decided."""
    row = AppointmentRequest.objects.select_for_update(of=("self",)).get(pk=place.about)
    if row.state in {AppointmentRequest.State.ACCEPTED, AppointmentRequest.State.DECLINED}:
        raise NotEditable(_("This request has been decided already."))


register_form("request", DraftForm(_find_answer, _lock_waiting))
