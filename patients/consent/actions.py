"""What the log may say of this package."""

from django.utils.translation import gettext_lazy as _

from clinic.audit.actions import register

register(
    {
        "consent.signed": (_("Consent signed"), "teal"),
        "consent.withdrawn": (_("Consent withdrawn"), "alarm"),
    }
)
