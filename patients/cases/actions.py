"""What the log may say of this package."""

from django.utils.translation import gettext_lazy as _

from clinic.audit.actions import register

register(
    {
        "case.opened": (_("File opened"), "plain"),
        "case.submitted": (_("Keepsakes handed in"), "plain"),
        "intake.answered": (_("Intake answered"), "plain"),
        "file.viewed": (_("File viewed"), "plain"),
    }
)
