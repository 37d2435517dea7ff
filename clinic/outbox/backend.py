"""An e-mail backend that keeps messages in the database (the demonstration's outbox)."""

from collections.abc import Sequence

from django.core.mail import EmailMessage
from django.core.mail.backends.base import BaseEmailBackend

from clinic.outbox.models import Mail


class OutboxBackend(BaseEmailBackend):
    """Stores one row per recipient.

    An invitation's token is in it until it is used or the mail is deleted.
    """

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        mails = [
            Mail(to=address, subject=message.subject[:200], body=str(message.body))
            for message in email_messages
            for address in message.recipients()
        ]
        Mail.objects.bulk_create(mails)
        return len(email_messages)
