"""The audit action of this package. `intake.answered` is in patients/cases/actions.py."""

from django.utils.translation import gettext_lazy as _

from clinic.audit.actions import register

register({"intake.read": (_("Intake read"), "plain")})
