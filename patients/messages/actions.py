"""The audit actions of this package, each with its phrase and its tone on the page."""

from django.utils.translation import gettext_lazy as _

from clinic.audit.actions import register

register(
    {
        "message.sent": (_("Message sent"), "plain"),
        "messages.opened": (_("New messages opened"), "plain"),
        "messages.assigned": (_("Messages assigned"), "plain"),
        "messages.released": (_("Messages given back, assigned to nobody"), "plain"),
        "messages.settled": (_("No answer needed"), "plain"),
        "messages.unsettled": (_("Answer needed after all"), "plain"),
    }
)
