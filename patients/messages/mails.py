"""The mail that tells a patient of new messages of the clinic: one for all that they have not opened."""

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
# How long the mail waits. A patient who opens the message within this time gets none.
MAIL_DELAY = timedelta(minutes=5)


def thread_reference(case: Case) -> str:
    """Return the name of a thread in mails and in the audit log: that of its case."""
    return f"case:{case.pk}"


def queue_answer_mail(case: Case) -> None:
    """Queue the mail for a new message of the clinic, unless an earlier message is still unopened.

    Call it before the new message is stored, in the same transaction, with the case locked.
    """
    if Message.objects.filter(case=case, from_clinic=True, opened_at__isnull=True).exists():
        return
    patient = to_patient(case.patient)
    queue(ANSWERED, thread_reference(case), to=[patient], case=case.pk, at=timezone.now() + MAIL_DELAY)


def answered(message: OutgoingMessage) -> Letter:
    """Return the text of the mail. Errors: MessageOutdated if all messages were opened, or are destroyed."""
    unopened = Message.objects.filter(case=message.case, from_clinic=True, opened_at__isnull=True)
    has_words = message.case and StoredObject.objects.filter(pk=message.case).live().exists()
    if not has_words or not unopened.exists():
        raise MessageOutdated
    words = _("The clinic has written to you. You read it, and answer, on your own page.")
    return Letter(_("There is a message for you"), [words], reverse("patients:my-messages"))


register_events(message_answered=MailEvent(gettext_lazy("Message answered"), answered))
