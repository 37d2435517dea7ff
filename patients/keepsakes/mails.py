"""The mail to a patient whose keepsake came back."""

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from clinic.outgoing.events import Letter, MailEvent, MessageOutdated, register_events
from clinic.outgoing.models import OutgoingMessage
from patients.keepsakes.models import Keepsake


def returned(message: OutgoingMessage) -> Letter:
    """Say how many keepsakes came back. What they are, and why, is told after sign-in.

    Errors: MessageOutdated if none is returned now: they were accepted, or the patient took them back.
    """
    rows = Keepsake.objects.filter(case=message.case, review=Keepsake.Review.RETURNED, gone_at__isnull=True)
    n = rows.count()
    if not n:
        raise MessageOutdated
    words = ngettext(
        "One of the things you brought came back to you, with a word from us.",
        "%(n)d of the things you brought came back to you, each with a word from us.",
        n,
    )
    return Letter(_("Something came back to you"), [words % {"n": n}], reverse("patients:keepsakes"))


register_events(keepsake_returned=MailEvent(gettext_lazy("Keepsake returned"), returned))
