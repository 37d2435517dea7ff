"""The timeline of a case on its page: what was done, and what is next."""

from dataclasses import dataclass
from datetime import datetime

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy

from clinic.audit.models import Entry
from patients.cases.models import Case
from patients.cases.status import Stage, Status
from patients.cases.status_words import next_words

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


def course_of(case: Case, status: Status) -> list[Milestone]:
    """Return what happened, oldest first, and then the next step."""
    entries = Entry.objects.filter(case=case.pk, action__in=MILESTONE_TEXTS).order_by("index")
    alarms = {"consent.withdrawn", "run.aborted"}
    lines = [
        Milestone(
            _when(entry.at), MILESTONE_TEXTS[entry.action], "alarm" if entry.action in alarms else "done"
        )
        for entry in entries
    ]
    if words := next_words(status):
        lines.append(Milestone("", words, "now" if status.stage == Stage.RUNNING else "next"))
    return lines
