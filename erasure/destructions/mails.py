"""Mails to patients about the destruction of their things outside a night."""

from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from clinic.outgoing.events import Letter, MailEvent, MessageOutdated, register_events
from clinic.outgoing.models import OutgoingMessage
from erasure.destructions.models import Destruction


def _unfinished(message: OutgoingMessage) -> Destruction:
    """Return the destruction that a message is about. Errors: MessageOutdated if it is finished."""
    destruction = Destruction.objects.get(pk=message.about_id)
    if destruction.state == Destruction.State.FINISHED:
        raise MessageOutdated
    return destruction


def ordered(message: OutgoingMessage) -> Letter:
    """Confirm a patient's order, and say when it begins. Errors: MessageOutdated if it is finished."""
    destruction = _unfinished(message)
    day = date_format(timezone.localtime(destruction.begins_at), "SHORT_DATETIME_FORMAT")
    paragraphs = [
        _("You have asked us to destroy things of yours. It begins on %(day)s.") % {"day": day},
        _(
            "If it was not you, or if you change your mind, stop it on the page below: what is not destroyed"
            " yet stays."
        ),
    ]
    return Letter(_("Something of yours will be destroyed"), paragraphs, _path(destruction))


def keeping_ends(message: OutgoingMessage) -> Letter:
    """Tell a patient when the clinic destroys what is left. Errors: MessageOutdated if that is finished."""
    destruction = _unfinished(message)
    day = date_format(timezone.localtime(destruction.begins_at), "SHORT_DATETIME_FORMAT")
    paragraphs = [
        _(
            "Your file is closed, and the time ends for which we keep what is left of it: on %(day)s it is"
            " destroyed."
        )
        % {"day": day},
        _("Until then you can take it back, or stop this on the page below."),
    ]
    return Letter(_("What is left of your file will be destroyed"), paragraphs, _path(destruction))


def stopped(message: OutgoingMessage) -> Letter:
    """Tell a patient that their destruction was stopped because a backup was restored."""
    words = _(
        "We had to restore our data from a backup, and do not know what you decided since. So what you had"
        " ordered to be destroyed, and was not yet, stays. If you still want it, please order it again."
    )
    return Letter(_("A destruction was stopped"), [words], reverse("erasure:belongings"))


def _path(destruction: Destruction) -> str:
    return reverse("erasure:destruction", args=[destruction.pk])


register_events(
    destruction_ordered=MailEvent(gettext_lazy("Destruction ordered"), ordered),
    destruction_stopped=MailEvent(gettext_lazy("Destruction stopped by a restore"), stopped),
    keeping_ends=MailEvent(gettext_lazy("Time of keeping ends"), keeping_ends),
)
