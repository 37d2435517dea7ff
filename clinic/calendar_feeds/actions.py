"""The audit actions of this package."""

from django.utils.translation import gettext_lazy as _

from clinic.audit.actions import register

register(
    {
        "feed.made": (_("Address of a calendar feed made"), "plain"),
        "feed.ended": (_("Address of a calendar feed ended"), "plain"),
    }
)
