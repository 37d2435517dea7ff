"""The audit actions of this package: code, label and tone."""

from django.utils.translation import gettext_lazy as _

from clinic.audit.actions import register

register(
    {
        "procedure.booked": (_("Night booked"), "plain"),
        "procedure.moved": (_("Night moved"), "plain"),
        "procedure.missed": (_("Night missed"), "alarm"),
        "procedure.canceled": (_("Night canceled"), "plain"),
    }
)
