"""Audit actions of this package, and what one of them permits."""

from datetime import timedelta

from django.utils.translation import gettext_lazy as _

from clinic.audit.actions import register
from patients.cases.models import Case
from patients.keepsakes.looks import register_case_look

register(
    {
        "run.replayed": (_("Session watched again"), "plain"),
        "session.viewed": (_("Session watched"), "plain"),
    }
)
# A night with its preparation; its end moves the case to another stage.
register_case_look("session.viewed", Case.Stage.RUNNING, timedelta(hours=24))
