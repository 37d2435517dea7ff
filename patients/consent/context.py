"""Context processor: whether whoever reads the page has a consent to take back."""

from typing import Any

from django.http import HttpRequest
from django.utils.functional import cached_property

from clinic.accounts.models import Role, User
from patients.cases.models import Case
from patients.consent.models import Signature


class OwnConsent:
    """The consents of the person who reads the page, looked up when a template asks for them."""

    def __init__(self, request: HttpRequest) -> None:
        self.request = request

    @cached_property
    def in_force(self) -> bool:
        """Whether there is one that can be taken back: on the pages of patients a link leads there."""
        person = getattr(self.request, "user", None)
        if not isinstance(person, User) or Role.PATIENT not in person.roles:
            return False
        cases = Case.objects.current().filter(patient=person)
        return Signature.objects.in_force().filter(case__in=cases).exists()


def consent(request: HttpRequest) -> dict[str, Any]:
    """Return the reader's own consent as `own_consent`."""
    return {"own_consent": OwnConsent(request)}
