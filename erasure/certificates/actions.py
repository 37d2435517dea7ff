"""Audit actions of this package."""

from django.utils.translation import gettext_lazy as _

from clinic.audit.actions import register

register(
    {
        "certificate.issued": (_("Certificate issued"), "teal"),
        "certificate.downloaded": (_("Certificate taken away"), "plain"),
    }
)
