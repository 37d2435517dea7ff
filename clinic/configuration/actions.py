"""The audit actions of this package."""

from django.utils.translation import gettext_lazy as _

from clinic.audit.actions import register

register(
    {
        "setting.changed": (_("Setting changed"), "plain"),
        "setting.kept": (_("Setting looked at and kept"), "plain"),
    }
)
