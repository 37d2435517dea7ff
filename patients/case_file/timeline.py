"""The timeline of a case on its page: what was done, and what is next."""

from dataclasses import dataclass
from datetime import datetime

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from clinic.audit.models import Entry
from patients.cases.models import Case

# Audit actions shown in the timeline. The audit log is the only source, so the two cannot differ.
MILESTONE_TEXTS: dict[str, str | Promise] = {
    "case.opened": gettext_lazy("File opened."),
    "intake.answered": gettext_lazy("Intake answered."),
    "case.submitted": gettext_lazy("Keepsakes handed in."),
    "consent.signed": gettext_lazy("Consent signed."),
    "consent.withdrawn": gettext_lazy("Consent withdrawn."),
    "map.locked": gettext_lazy("Map locked."),
    "map.unlocked": gettext_lazy("Map opened again."),
    "procedure.booked": gettext_lazy("Night booked."),
    "procedure.canceled": gettext_lazy("Night canceled."),
    "run.started": gettext_lazy("Erasure begun."),
    "run.aborted": gettext_lazy("Erasure aborted."),
    "run.finished": gettext_lazy("Erasure finished."),
    "certificate.issued": gettext_lazy("Certificate issued."),
}


@dataclass(frozen=True)
class Milestone:
    """One line of the timeline (components/timeline.html)."""

    when: str
    text: str | Promise
    state: str
    url: str = ""


def _when(moment: datetime) -> str:
    return date_format(timezone.localtime(moment), "MONTH_DAY_TIME_FORMAT")


def course_of(case: Case) -> list[Milestone]:
    """Return what happened, oldest first, and then the next step."""
    entries = Entry.objects.filter(case=case.pk, action__in=MILESTONE_TEXTS).order_by("index")
    alarms = {"consent.withdrawn", "run.aborted"}
    lines = [
        Milestone(
            _when(entry.at), MILESTONE_TEXTS[entry.action], "alarm" if entry.action in alarms else "done"
        )
        for entry in entries
    ]
    next_steps: dict[str, str] = {
        Case.Stage.INTAKE: _("The patient answers the intake."),
        Case.Stage.BRINGING: _("The patient brings keepsakes."),
        Case.Stage.REVIEW: _("Review what was brought, then lock the map."),
        Case.Stage.MAPPED: _("The patient signs for exactly this map."),
        Case.Stage.CONSENTED: _("Book the night."),
        Case.Stage.BOOKED: _("The night itself."),
        Case.Stage.RUNNING: _("Being erased now."),
    }
    if case.stage in next_steps:
        lines.append(
            Milestone("", next_steps[case.stage], "now" if case.stage == Case.Stage.RUNNING else "next")
        )
    return lines
