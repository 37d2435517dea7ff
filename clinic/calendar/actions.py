"""The audit actions of this package."""

from django.utils.translation import gettext_lazy as _

from clinic.audit.actions import register

register(
    {
        "place.added": (_("Room or kit added"), "plain"),
        "place.out-of-use": (_("Room or kit taken out of use"), "plain"),
        "place.in-use": (_("Room or kit put back in use"), "plain"),
    }
)
