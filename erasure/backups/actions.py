"""Audit actions of this package."""

from django.utils.translation import gettext_lazy as _

from clinic.audit.actions import register

register(
    {
        "backup.made": (_("Backup made"), "plain"),
        "backup.restored": (_("Backup restored"), "alarm"),
        "backup.drilled": (_("Backup tried: nothing erased opens"), "teal"),
        "backup.failed-drill": (_("Backup tried: it does not hold"), "alarm"),
        # details: how many rows of each kind were marked as erased again because their keys are gone
        "keys.obeyed": (_("Rows without keys marked erased again"), "alarm"),
    }
)
