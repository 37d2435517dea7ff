"""The audit actions of this package."""

from django.utils.translation import gettext_lazy as _

from clinic.audit.actions import register

register(
    {
        "mail.tried-again": (_("Mail tried again"), "plain"),
        "mail.given-up": (_("Mail given up"), "plain"),
    }
)
