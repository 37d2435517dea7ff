"""The audit actions of this package, each with its phrase and its tone on the page."""

from django.utils.translation import gettext_lazy as _

from clinic.audit.actions import register

register(
    {
        "request.made": (_("Appointment asked for"), "plain"),
        "request.accepted": (_("Request accepted"), "plain"),
        "request.held": (_("Request held"), "plain"),
        "request.declined": (_("Request declined"), "plain"),
    }
)
