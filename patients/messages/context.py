"""Context processor: the link to a patient's own messages, with how many of them they have not opened."""

from typing import Any

from django.http import HttpRequest
from django.utils.functional import cached_property

from clinic.accounts.models import Role, User
from patients.messages.models import Message


class OwnMessages:
    """The messages of the person who reads the page, looked up when a template asks for them."""

    def __init__(self, request: HttpRequest) -> None:
        self.request = request

    @cached_property
    def patient(self) -> User | None:
        """The reader, if they are a patient: only the pages of patients have the link."""
        person = getattr(self.request, "user", None)
        return person if isinstance(person, User) and Role.PATIENT in person.roles else None

    @cached_property
    def unopened(self) -> int:
        """How many messages of the clinic the patient has not opened."""
        if self.patient is None:
            return 0
        unopened = Message.objects.filter(from_clinic=True, opened_at__isnull=True)
        return unopened.filter(case__patient=self.patient).count()


def messages(request: HttpRequest) -> dict[str, Any]:
    """Return the reader's own messages as `own_messages`."""
    return {"own_messages": OwnMessages(request)}
