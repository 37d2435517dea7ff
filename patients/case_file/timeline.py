"""The timeline of a case on its page: what was done, and what is next."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby

from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy, ngettext

from clinic.audit.models import Entry
from clinic.calendar.durations import format_moment
from patients.cases.models import Case
from patients.cases.status import Stage, Status
from patients.cases.status_words import next_words

# Audit actions shown in the timeline. The audit log is the only source, so the two cannot differ.
MILESTONE_TEXTS: dict[str, str | Promise] = {
    "case.opened": gettext_lazy("File opened."),
    "intake.answered": gettext_lazy("Intake answered."),
    "intake.reviewed": gettext_lazy("Intake reviewed by a doctor."),
    "case.submitted": gettext_lazy("Keepsakes handed in."),
    "consent.signed": gettext_lazy("Consent signed."),
    "consent.withdrawn": gettext_lazy("Consent withdrawn."),
    "map.locked": gettext_lazy("Map locked."),
    "map.unlocked": gettext_lazy("Map opened again."),
    "appointment.booked": gettext_lazy("Appointment booked."),
    "appointment.cancelled": gettext_lazy("Appointment canceled."),
    "appointment.completed": gettext_lazy("Appointment done."),
    "appointment.missed": gettext_lazy("Did not come."),
    "procedure.booked": gettext_lazy("Night booked."),
    "procedure.missed": gettext_lazy("Night missed."),
    "procedure.moved": gettext_lazy("Night moved."),
    "procedure.canceled": gettext_lazy("Night canceled."),
    "run.started": gettext_lazy("Erasure begun."),
    "run.aborted": gettext_lazy("Erasure aborted."),
    "run.finished": gettext_lazy("Erasure finished."),
    "certificate.issued": gettext_lazy("Certificate issued."),
}


@dataclass(frozen=True)
class Milestone:
    """One line of the timeline (components/timeline.html).

    when: the time in words; empty for the next step. state: "done", "alarm", "now" or "next".
    """

    when: str
    text: str | Promise
    state: str
    url: str = ""


def timeline_of(case: Case, status: Status) -> list[Milestone]:
    """Return a line for each milestone, the oldest first, and then one for the next step."""
    entries = Entry.objects.filter(case=case.pk, action__in=MILESTONE_TEXTS).order_by("index")
    lines = milestones_of(entries)
    if words := next_words(status):
        lines.append(Milestone("", words, "now" if status.stage == Stage.RUNNING else "next"))
    return lines


def milestones_of(entries: Iterable[Entry]) -> list[Milestone]:
    """Return a line for each entry, in their order. Consecutive entries of one day and action are one line.

    That line has the time of the last of them.
    """
    alarms = {"consent.withdrawn", "procedure.missed", "run.aborted"}
    lines = []
    for (action, _day), group in groupby(entries, key=lambda one: (one.action, timezone.localdate(one.at))):
        alike = list(group)
        text = _repeated(MILESTONE_TEXTS[action], len(alike))
        lines.append(Milestone(format_moment(alike[-1].at), text, "alarm" if action in alarms else "done"))
    return lines


def _repeated(text: str | Promise, number: int) -> str | Promise:
    """Return the sentence `text`, with the number of times after it if it happened more than once."""
    if number == 1:
        return text
    return ngettext("%(text)s %(number)d time.", "%(text)s %(number)d times.", number) % {
        "text": text,
        "number": number,
    }
