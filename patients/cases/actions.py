"""The audit actions of this package, each with its phrase and its tone on the page."""

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
