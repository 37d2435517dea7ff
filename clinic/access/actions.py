"""The audit actions of this package."""

from django.utils.translation import gettext_lazy as _

from clinic.audit.actions import register

register({"access.denied": (_("Access denied"), "alarm")})
