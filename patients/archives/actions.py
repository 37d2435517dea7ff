"""The audit actions of this package, each with its phrase and its tone on the page."""

from django.utils.translation import gettext_lazy as _

from clinic.audit.actions import register

register(
    {
        "archive.taken": (_("Keepsakes given back to the patient as one archive"), "plain"),
        "archive.everything": (_("Everything that is held given to the patient as one archive"), "plain"),
    }
)
