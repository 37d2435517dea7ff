"""What the log may say of this package."""

from django.utils.translation import gettext_lazy as _

from clinic.audit.actions import register

register(
    {
        "demo.loaded": (_("Demonstration loaded"), "plain"),
    }
)
