"""The mails to a patient who signed, or took their consent back."""

from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from clinic.outgoing.events import Letter, MailEvent, MessageOutdated, register_events
from clinic.outgoing.models import OutgoingMessage
from patients.consent.models import ConsentText, Signature
from patients.consent.signing import may_start_from


def signed(message: OutgoingMessage) -> Letter:
    """Confirm a signature. Errors: MessageOutdated if it is in force no longer."""
    signature = Signature.objects.select_related("text").get(pk=message.about_id)
    if not signature.in_force:
        raise MessageOutdated
    paragraphs = [_("You have signed, and we have your signature. You can take it back at any time.")]
    starts = may_start_from(signature)
    if signature.text.kind == ConsentText.Kind.PROCEDURE and starts > signature.signed_at:
        day = date_format(timezone.localtime(starts), "SHORT_DATETIME_FORMAT")
        paragraphs.append(_("You have time to think it over: nothing begins before %(day)s.") % {"day": day})
    return Letter(_("You have signed"), paragraphs, reverse("patients:consent"))


def withdrawn(message: OutgoingMessage) -> Letter:
    """Confirm a withdrawal."""
    words = _("You have taken your consent back. Nothing more is done, and nobody asks you why.")
    return Letter(_("Your consent is taken back"), [words], reverse("patients:portal"))


register_events(
    consent_signed=MailEvent(gettext_lazy("Consent signed"), signed),
    consent_withdrawn=MailEvent(gettext_lazy("Consent taken back"), withdrawn),
)
