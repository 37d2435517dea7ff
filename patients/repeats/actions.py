"""The audit actions of this package."""

from django.utils.translation import gettext_lazy as _

from clinic.audit.actions import register

# The details of "repeat.agreed": in which role, and whether the exception is complete now.
register(
    {
        "repeat.agreed": (_("Agreed to an exception from the repeat limit"), "alarm"),
        "repeat.taken-back": (_("Exception from the repeat limit taken back"), "plain"),
        "repeat.used": (_("Exception from the repeat limit used"), "alarm"),
    }
)
