"""The patient's portal: what was done, what is next, and the page after the case is closed."""

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Max
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from clinic.audit.models import Entry
from clinic.http.requests import request_user
from patients.cases.current_case import current_case
from patients.cases.facts import status_of
from patients.cases.models import Case
from patients.cases.status import OPEN, Stage, Status, Wait, Who
from patients.cases.status_words import night_hours, patient_url, patient_words, stands
from patients.cases.view_log import latest_views
from patients.portal.notices import notices_for


@dataclass(frozen=True)
class Task:
    """One line of the task list (components/timeline.html). mine: the patient does it, not the clinic."""

    text: str | Promise
    state: str  # done, now, next, alarm
    url: str = ""
    when: str = ""
    mine: bool = True


def _date(moment: datetime | None) -> str:
    return date_format(timezone.localtime(moment), "SHORT_DATE_FORMAT") if moment else ""


def _intake_answered_at(case: Case) -> datetime | None:
    last: datetime | None = Entry.objects.filter(case=case.pk, action="intake.answered").aggregate(
        at=Max("at")
    )["at"]
    return last


def _waiting(status: Status) -> dict[str, Wait]:
    return {wait.code: wait for wait in status.waits_for(Who.PATIENT)}


def _task(status: Status, code: str, done: datetime | None = None, *, link: bool = True) -> Task:
    """Return the line of something that the patient does: done at `done`, waiting now, or still to come."""
    wait = _waiting(status).get(code)
    state = "now" if wait else "done" if done else "next"
    words = patient_words(code, wait.count if wait else 0)
    return Task(words, state, patient_url(code) if link else "", _date(done))


def _keepsake_tasks(status: Status) -> list[Task]:
    """Return the lines about keepsakes: how many, how many without a memory, how many returned."""
    things, waiting = status.facts.things, _waiting(status)
    if status.stage not in OPEN:
        n = things.brought
        text = ngettext("%(n)d keepsake brought", "%(n)d keepsakes brought", n) % {"n": n}
        return [Task(text, "done", "", _date(things.last))]
    if status.stage == Stage.REVIEW and things.here:
        state = "done"
    else:
        state = "now" if status.allows("bring") and status.facts.subject_named else "next"
    url = patient_url("bring") if status.allows("bring") else ""
    tasks = [Task(patient_words("bring", things.here), state, url, _date(things.last))]
    if things.unplaced:
        tasks.append(Task(patient_words("place", things.unplaced), "now", patient_url("place")))
    if "returned" in waiting:
        tasks.append(Task(patient_words("returned", things.returned), "alarm", patient_url("returned")))
    return tasks


def tasks_of(case: Case, status: Status) -> list[Task]:
    """Return the tasks of patient and clinic in order: done, current, next."""
    facts = status.facts
    named = _intake_answered_at(case) or (case.opened_at if facts.subject_named else None)
    tasks = [
        Task(
            patient_words("intake"),
            "done" if facts.subject_named else "now",
            patient_url("intake") if status.allows("answer") else "",
            _date(_intake_answered_at(case)) if named else "",
        ),
        _task(status, "agree", facts.storage.signed_at if facts.storage else None),
        *_keepsake_tasks(status),
        _map_task(status),
        _task(status, "sign", facts.consent.signed_at if facts.consent else None, link=bool(facts.map)),
    ]
    return [*_stopped_tasks(status), *tasks, *_night_tasks(status)]


def _map_task(status: Status) -> Task:
    facts = status.facts
    if facts.map is not None and not facts.map.current:
        return Task(_("We look through what is left, and lock your map again with you"), "now", mine=False)
    state = "done" if facts.map else "now" if status.stage == Stage.REVIEW else "next"
    when = _date(facts.map.locked_at if facts.map else None)
    return Task(_("We look through it, and draw your map with you"), state, when=when, mine=False)


def _stopped_tasks(status: Status) -> list[Task]:
    """Return the lines about nights that were stopped, and about what they left half gone."""
    tasks = []
    for night in status.facts.nights:
        if night.outcome == "stopped":
            url = reverse("erasure:session", args=[night.run])
            tasks.append(Task(_("Your night was stopped"), "done", url, _date(night.finished_at), mine=False))
    if wait := _waiting(status).get("remainder"):
        tasks.append(Task(patient_words("remainder", wait.count), "alarm", patient_url("remainder")))
    return tasks


def _night_tasks(status: Status) -> list[Task]:
    last = Task(_("The morning after, your certificate"), "next", mine=False)
    night = status.night if status.stage in {Stage.BOOKED, Stage.RUNNING} else None
    if night:
        url = reverse("erasure:session", kwargs={"run": night.run}) if night.run else ""
        state = "now" if night.run else "next"
        return [Task(_("The night"), state, url, night_hours(status), mine=False), last]
    if status.next and status.next.code == "book" and status.next.at:
        words = _("The night, from %(day)s on") % {"day": _date(status.next.at)}
        return [Task(words, "next", mine=False), last]
    return [Task(_("The night"), "next", mine=False), last]


@require_safe
@never_cache
def portal(request: HttpRequest) -> HttpResponse:
    """Show the tasks of the current case. Without one, show the page for afterwards, without the subject."""
    case = current_case(request)
    if case is None:
        return _render_after(request)
    status = status_of(case)
    tasks = tasks_of(case, status)
    mine = [task for task in tasks if task.mine and task.url and task.state in {"alarm", "now"}]
    context = {
        "case": case,
        "status": status,
        "tasks": tasks,
        "next": mine[0] if mine else None,
        "stands": stands(status),
        "night": status.night,
        "looks": latest_views(case),
        "notices": notices_for(request_user(request)),
    }
    return render(request, "patients/portal/portal.html", context)


def _render_after(request: HttpRequest) -> HttpResponse:
    last = Case.objects.filter(patient=request_user(request)).order_by("-opened_at").first()
    status = status_of(last) if last else None
    context = {
        "case": last,
        "status": status,
        "night": status.night if status else None,
        "notices": notices_for(request_user(request)),
    }
    return render(request, "patients/portal/after.html", context)
