"""The mail to a patient whose certificate is ready."""

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from clinic.outgoing.events import Letter, MailEvent, register_events
from clinic.outgoing.models import OutgoingMessage


def ready(message: OutgoingMessage) -> Letter:
    """Say that the certificate can be read. about: "run:<id>"."""
    path = reverse("erasure:certificate", args=[message.about_id])
    return Letter(
        _("Your certificate is ready"), [_("What was done is verified, and your certificate is ready.")], path
    )


register_events(certificate_ready=MailEvent(gettext_lazy("Certificate ready"), ready))
