"""Handing mail over to the mail server, which may be away."""

from smtplib import SMTPException

from django.core.mail import send_mail
from django.utils.translation import gettext as _

from clinic.unavailable import ServiceUnavailable


class Unsent(ServiceUnavailable):
    """A mail was not taken. What it tells of is done all the same; the message is a sentence for a person."""


def send(subject: str, body: str, to: str) -> None:
    """Hand over one mail to the address `to`. Errors: Unsent."""
    try:
        send_mail(subject, body, None, [to])
    except (SMTPException, OSError) as error:
        raise Unsent(
            _("This is done, but the mail to %(address)s could not be sent: the mail server does not answer.")
            % {"address": to}
        ) from error
