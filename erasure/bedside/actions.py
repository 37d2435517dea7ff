"""The audit actions of this package. Actions on the page for the bed have the detail `page: bed`."""

from django.utils.translation import gettext_lazy as _

from clinic.audit.actions import register

register(
    {
        "bed.opened": (_("Page for the bed opened"), "plain"),
        "bed.closed": (_("Page for the bed closed"), "plain"),
        "bed.safe-word": (_("Safe word, by the bed page"), "alarm"),
        "bed.word-set": (_("Spoken safe word chosen"), "plain"),
        "bed.word-shown": (_("Spoken safe word shown"), "plain"),
    }
)
