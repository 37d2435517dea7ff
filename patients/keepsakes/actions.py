"""Register the audit actions of this package."""

from django.utils.translation import gettext_lazy as _

from clinic.audit.actions import register

register(
    {
        "keepsake.brought": (_("Keepsake brought"), "plain"),
        "keepsake.refused": (_("Upload refused"), "plain"),
        "keepsake.changed": (_("Keepsake changed"), "plain"),
        "keepsake.removed": (_("Keepsake taken back and destroyed"), "destroyed"),
        "keepsake.accepted": (_("Keepsake accepted"), "plain"),
        "keepsake.returned": (_("Keepsake returned"), "plain"),
        "keepsake.unblurred": (_("Preview unblurred"), "plain"),
    }
)
