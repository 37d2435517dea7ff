"""The audit action of this package."""

from django.utils.translation import gettext_lazy as _

from clinic.audit.actions import register

register({"intake.reviewed": (_("Intake reviewed by a doctor"), "teal")})
