"""The mail that invites somebody."""

from collections.abc import Collection
from datetime import timedelta

from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from clinic.accounts.models import Invitation
from clinic.configuration.configuration import NAME
from clinic.configuration.values import value_of
from clinic.outgoing.events import Letter, MailEvent, MessageOutdated, register_events
from clinic.outgoing.models import OutgoingMessage
from clinic.outgoing.recipients import Person, register_recipients
from clinic.people.invitations import token_of


def invitation_letter(message: OutgoingMessage, *words: str) -> Letter:
    """Return the letter with an invitation's link. words: further paragraphs before it.

    Errors: MessageOutdated if the invitation was used, taken back, or has expired. LookupError as `token_of`.
    """
    invitation = Invitation.objects.get(pk=message.about_id)
    if not invitation.is_open(timezone.now()):
        raise MessageOutdated
    days = round((invitation.expires_at - message.queued_at) / timedelta(days=1))
    clinic = {"clinic": value_of(NAME)}
    link_works = ngettext(
        "The link works once, for you alone, until tomorrow.",
        "The link works once, for you alone, within %(days)d days of the invitation.",
        days,
    )
    return Letter(
        _("Your invitation to %(clinic)s") % clinic,
        [
            _("%(clinic)s has opened its door to you.") % clinic,
            *words,
            link_works % {"days": days},
            _("Nobody is talked into it, and nobody is rushed."),
        ],
        path=reverse("invitation", args=[token_of(invitation)]),
        link=_("With this link you come in and choose a passphrase:"),
    )


def _invited(ids: Collection[str]) -> dict[str, Person]:
    return {str(row.pk): Person(row.name, row.email) for row in Invitation.objects.filter(pk__in=ids)}


register_recipients("invitation", _invited)
register_events(invitation=MailEvent(gettext_lazy("Invitation"), invitation_letter))
