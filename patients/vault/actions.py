"""What the log may say of this package."""

from django.utils.translation import gettext_lazy as _

from clinic.audit.actions import register

register(
    {
        "keys.rolled-by-hand": (_("Keys rolled by an operator"), "teal"),
        # details: how many keys no row accounted for when a restored database was opened
        "keys.held": (_("Keys without rows held after a restore"), "alarm"),
        "keys.let-go": (_("Keys held after a restore destroyed"), "destroyed"),
        "keys.struck": (_("Keys that nothing opens struck off"), "alarm"),
    }
)
