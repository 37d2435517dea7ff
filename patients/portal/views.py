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
from patients.appointments.on_pages import upcoming_of
from patients.appointments.own import own_templates
from patients.cases.current_case import current_case
from patients.cases.facts import status_of
from patients.cases.models import Case
from patients.cases.status import OPEN, Stage, Status, Wait, Who
from patients.cases.status_words import night_hours, patient_url, patient_words, stage_text
from patients.cases.view_log import latest_views
from patients.portal.next_lines import next_lines
from patients.portal.notices import notices_for
from patients.waitlist.on_pages import on_portal


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


def _waits_for_patient(status: Status) -> dict[str, Wait]:
    return {wait.code: wait for wait in status.waits_for(Who.PATIENT)}


def _task(status: Status, code: str, done: datetime | None = None, *, link: bool = True) -> Task:
    """Return the line of something that the patient does: waiting now, done at `done`, or still to come.

    code: of the wait (patients/cases/status.py). link: whether the line is a link.
    """
    wait = _waits_for_patient(status).get(code)
    state = "now" if wait else "done" if done else "next"
    words = patient_words(code, wait.count if wait else 0)
    return Task(words, state, patient_url(code) if link else "", _date(done))


def _keepsake_tasks(status: Status) -> list[Task]:
    """Return the lines about keepsakes: how many, how many without a memory, how many returned."""
    things, waits = status.facts.things, _waits_for_patient(status)
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
    if "returned" in waits:
        tasks.append(Task(patient_words("returned", things.returned), "alarm", patient_url("returned")))
    return tasks


def tasks_of(case: Case, status: Status) -> list[Task]:
    """Return the tasks of patient and clinic in order: done, current, next."""
    facts = status.facts
    tasks = [
        Task(
            patient_words("intake"),
            "done" if facts.subject_named else "now",
            patient_url("intake") if status.allows("answer") else "",
            _date(_intake_answered_at(case)),
        ),
        _task(status, "agree", facts.storage.signed_at if facts.storage else None),
        *_keepsake_tasks(status),
        _review_task(status),
        _map_task(status),
        _task(status, "sign", facts.consent.signed_at if facts.consent else None, link=bool(facts.map)),
    ]
    return [*_stopped_tasks(status), *tasks, *_night_tasks(status)]


def _review_task(status: Status) -> Task:
    """Return the line about the doctor's review of the intake: done while it lets the case go on."""
    review, fault = status.facts.review, status.facts.review_fault
    if fault == "not-cleared":
        return Task(_("Our doctor would like to talk to you"), "now", mine=False)
    if not fault:
        when = _date(review.reviewed_at if review else None)
        return Task(_("A doctor reads what you told us"), "done", when=when, mine=False)
    waits = any(wait.code == fault for wait in status.waits_for(Who.DOCTOR))
    return Task(_("A doctor reads what you told us"), "now" if waits else "next", mine=False)


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
    if wait := _waits_for_patient(status).get("remainder"):
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
    """Show the tasks of the current case. If there is none, show the page after the end of the last case."""
    case = current_case(request)
    if case is None:
        return _render_after(request)
    status = status_of(case)
    tasks = tasks_of(case, status)
    appointments = upcoming_of(request_user(request))
    waitlist = on_portal(request_user(request))
    mine = [task for task in tasks if task.mine and task.url and task.state in {"alarm", "now"}]
    context = {
        "case": case,
        "status": status,
        "tasks": tasks,
        "next": mine[0] if mine else None,
        "stage_text": stage_text(status),
        "night": status.night,
        "looks": latest_views(case),
        "notices": notices_for(request_user(request)),
        "next_lines": next_lines(status, appointments, waitlist.offer),
        "may_book": bool(own_templates(case)),
        "waitlist": waitlist,
    }
    return render(request, "patients/portal/portal.html", context)


def _render_after(request: HttpRequest) -> HttpResponse:
    """Render the page after the end of the patient's last case, which does not name the subject."""
    last = Case.objects.filter(patient=request_user(request)).order_by("-opened_at").first()
    status = status_of(last) if last else None
    waitlist = on_portal(request_user(request))
    context = {
        "case": last,
        "status": status,
        "night": status.night if status else None,
        "notices": notices_for(request_user(request)),
        "next_lines": next_lines(None, upcoming_of(request_user(request)), waitlist.offer),
        "may_book": bool(last and own_templates(last)),
        "waitlist": waitlist,
    }
    return render(request, "patients/portal/after.html", context)
