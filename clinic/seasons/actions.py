"""The audit actions of this package."""

from django.utils.translation import gettext_lazy as _

from clinic.audit.actions import register

register(
    {
        "season.made": (_("Season entered"), "plain"),
        "season.changed": (_("Season changed"), "plain"),
        "season.ended": (_("Season ended early"), "plain"),
        "season.canceled": (_("Season given up"), "plain"),
        "season.agreed": (_("Agreed to the extra hours of a season"), "plain"),
        "season.agreement-ended": (_("Agreement to extra hours taken back"), "plain"),
    }
)
