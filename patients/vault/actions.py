"""The audit actions of this package."""

from django.utils.translation import gettext_lazy as _

from clinic.audit.actions import register

register(
    {
        "keys.rolled-by-hand": (_("Keys rolled by an operator"), "teal"),
        # details: number of keys without a row when a restored database was opened
        "keys.held": (_("Keys without rows held after a restore"), "alarm"),
        "keys.let-go": (_("Keys held after a restore destroyed"), "destroyed"),
        "keys.struck": (_("Keys that nothing opens struck off"), "alarm"),
    }
)
