"""The mail to a patient whom the clinic has answered: one for all that they have not opened."""

from datetime import timedelta

from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from clinic.outgoing.events import Letter, MailEvent, MessageOutdated, register_events
from clinic.outgoing.models import OutgoingMessage
from clinic.outgoing.queue import queue
from clinic.outgoing.recipients import to_patient
from patients.cases.models import Case
from patients.messages.models import Message
from patients.vault.models import StoredObject

ANSWERED = "message-answered"
# The mail waits so long: a patient who has the page open just then needs none.
READING_NOW = timedelta(minutes=5)


def about(case: Case) -> str:
    """Return how the mails and the audit log name the thread of a case."""
    return f"case:{case.pk}"


def tell_patient(case: Case) -> None:
    """Queue the mail on a message of the clinic that is about to be stored, if none is unopened before it.

    Call it with the lock of the case, in the transaction that stores the message.
    """
    if Message.objects.filter(case=case, from_clinic=True, opened_at__isnull=True).exists():
        return
    patient = to_patient(case.patient)
    queue(ANSWERED, about(case), to=[patient], case=case.pk, at=timezone.now() + READING_NOW)


def answered(message: OutgoingMessage) -> Letter:
    """Say that the clinic has written. Errors: MessageOutdated if all was read, or is destroyed."""
    unopened = Message.objects.filter(case=message.case, from_clinic=True, opened_at__isnull=True)
    has_words = message.case and StoredObject.objects.filter(pk=message.case).live().exists()
    if not has_words or not unopened.exists():
        raise MessageOutdated
    words = _("The clinic has written to you. You read it, and answer, on your own page.")
    return Letter(_("There is a message for you"), [words], reverse("patients:my-messages"))


register_events(message_answered=MailEvent(gettext_lazy("Message answered"), answered))
