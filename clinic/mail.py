"""Sending mail, with an error of its own if the mail server is unavailable."""

from smtplib import SMTPException

from django.core.mail import send_mail
from django.utils.translation import gettext as _

from clinic.unavailable import ServiceUnavailable


class Unsent(ServiceUnavailable):
    """A mail could not be sent. What it was about is done anyway. The message is a sentence for the user."""


def send(subject: str, body: str, to: str) -> None:
    """Send one mail to the address `to`. Errors: Unsent."""
    try:
        send_mail(subject, body, None, [to])
    except (SMTPException, OSError) as error:
        raise Unsent(
            _("This is done, but the mail to %(address)s could not be sent: the mail server does not answer.")
            % {"address": to}
        ) from error
