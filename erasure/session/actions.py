"""Audit actions of this package."""

from django.utils.translation import gettext_lazy as _

from clinic.audit.actions import register

register(
    {
        "run.replayed": (_("Session watched again"), "plain"),
    }
)
