"""The audit actions of this package."""

from django.utils.translation import gettext_lazy as _

from clinic.audit.actions import register

register(
    {
        "hours.changed": (_("Working hours changed"), "plain"),
        "hours.absence": (_("Absence entered"), "plain"),
        "hours.added": (_("Extra hours entered"), "plain"),
        "hours.closed": (_("Clinic closed for a time"), "plain"),
        "hours.exception-ended": (_("Absence, extra hours or closing taken back"), "plain"),
        "hours.limits": (_("Limits on nights changed"), "plain"),
    }
)
