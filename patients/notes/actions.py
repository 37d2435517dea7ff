"""The audit actions of this package."""

from django.utils.translation import gettext_lazy as _

from clinic.audit.actions import register

register(
    {
        "note.written": (_("Note written"), "plain"),
        "note.struck": (_("Note struck out"), "plain"),
    }
)
