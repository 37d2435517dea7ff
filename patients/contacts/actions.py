"""The audit action of this package."""

from django.utils.translation import gettext_lazy as _

from clinic.audit.actions import register

register({"contact.changed": (_("How a patient is reached changed"), "plain")})
