"""The patient's own pages: what is next, and the intake."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count, Max, Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from clinic.audit.models import Entry
from clinic.http.requests import request_user
from patients.cases.current_case import current_case
from patients.cases.models import Case
from patients.cases.view_log import latest_views
from patients.consent.models import ConsentText
from patients.consent.signing import may_start_from
from patients.keepsakes.models import Keepsake
from patients.memories.models import LockedMap
from patients.portal.notices import notices_for

# Where the case stands, to the person it belongs to.
STAGE_TEXTS: dict[str, str | Promise] = {
    Case.Stage.REVIEW: gettext_lazy("We are looking through what you brought."),
    Case.Stage.CONSENTED: gettext_lazy("We are looking for a night for you."),
    Case.Stage.BOOKED: gettext_lazy("Your night is booked."),
    Case.Stage.RUNNING: gettext_lazy("It is happening now."),
}


@dataclass(frozen=True)
class Task:
    """One dated line of what is to do (components/timeline.html). `mine`: the patient does it, not we."""

    text: str | Promise
    state: str  # done, now, next, alarm
    url: str = ""
    when: str = ""
    mine: bool = True


def _date(moment: datetime | None) -> str:
    return date_format(timezone.localtime(moment), "SHORT_DATE_FORMAT") if moment else ""


def _answered(case: Case) -> datetime | None:
    last: datetime | None = Entry.objects.filter(case=case.pk, action="intake.answered").aggregate(
        at=Max("at")
    )["at"]
    return last


def _bringing(case: Case, said: bool, agreed: bool) -> list[Task]:
    """The lines about keepsakes: what was brought, what is loose, what was returned."""
    facts: dict[str, Any] = Keepsake.objects.filter(case=case, gone_at__isnull=True).aggregate(
        count=Count("pk"),
        last=Max("added_at"),
        loose=Count("pk", filter=Q(memory__isnull=True)),
        returned=Count("pk", filter=Q(review=Keepsake.Review.RETURNED)),
    )
    url, count = reverse("patients:keepsakes"), facts["count"]
    if not case.takes_keepsakes:
        text = ngettext("%(n)d keepsake brought", "%(n)d keepsakes brought", count) % {"n": count}
        return [Task(text, "done", "", _date(facts["last"]))]
    handed_in = case.stage == Case.Stage.REVIEW
    state = "done" if handed_in and count else ("now" if said and agreed else "next")
    text = _("Bring your keepsakes")
    if count:
        text = ngettext("Bring your keepsakes: %(n)d so far", "Bring your keepsakes: %(n)d so far", count)
        text %= {"n": count}
    tasks = [Task(text, state, url if agreed else "", _date(facts["last"]))]
    if loose := facts["loose"]:
        words = ngettext("Place %(n)d keepsake in a memory", "Place %(n)d keepsakes in a memory", loose)
        tasks.append(Task(words % {"n": loose}, "now", url))
    if back := facts["returned"]:
        words = ngettext("Look again at %(n)d that we returned", "Look again at %(n)d that we returned", back)
        tasks.append(Task(words % {"n": back}, "alarm", url))
    return tasks


def tasks_of(case: Case, procedure: Any = None) -> list[Task]:
    """What was done, what the patient has to do and what we do, in order, dated where there is a date."""
    said = bool(case.read().subject_name)
    signed = {
        signature.text.kind: signature for signature in case.signatures.in_force().select_related("text")
    }
    kept, agreed = signed.get(ConsentText.Kind.STORAGE), signed.get(ConsentText.Kind.PROCEDURE)
    mapped = LockedMap.objects.filter(case=case, unlocked_at__isnull=True).first()
    consent = reverse("patients:consent")
    early = "now" if case.takes_keepsakes else "next"
    tasks = [
        Task(
            _("Tell us whom it is about"),
            "done" if said else "now",
            reverse("patients:intake") if case.takes_keepsakes else "",
            _date(_answered(case)),
        ),
        Task(
            _("Agree that we keep what you bring"),
            "done" if kept else early if said else "next",
            consent,
            _date(kept.signed_at if kept else None),
        ),
        *_bringing(case, said, kept is not None),
        Task(
            _("We look through it, and draw your map with you"),
            "done" if mapped else "now" if case.stage == Case.Stage.REVIEW else "next",
            when=_date(mapped.locked_at if mapped else None),
            mine=False,
        ),
        Task(
            _("Read and sign for exactly your map"),
            "done" if agreed else "now" if mapped else "next",
            consent if mapped else "",
            _date(agreed.signed_at if agreed else None),
        ),
    ]
    return [*tasks, *_night(case, agreed, procedure)]


def _night(case: Case, agreed: Any, procedure: Any) -> list[Task]:
    run = getattr(procedure, "run", None)
    if procedure:
        when = date_format(timezone.localtime(procedure.booking.starts_at), "SHORT_DATETIME_FORMAT")
        url = reverse("erasure:session", kwargs={"run": run.pk}) if run else ""
        night = Task(_("The night"), "now" if run else "next", url, when, mine=False)
    elif agreed:
        words = _("The night, from %(day)s on") % {"day": _date(may_start_from(agreed))}
        night = Task(words, "next", mine=False)
    else:
        night = Task(_("The night"), "next", mine=False)
    return [night, Task(_("The morning after, your certificate"), "next", mine=False)]


@require_safe
@never_cache
def portal(request: HttpRequest) -> HttpResponse:
    """What is next. After the end nothing here names whom it was about."""
    case = current_case(request)
    if case is None:
        return _afterwards(request)
    procedure = case.procedures.filter(state__in=["booked", "started"]).select_related("booking").first()
    tasks = tasks_of(case, procedure)
    mine = [task for task in tasks if task.mine and task.url and task.state in {"alarm", "now"}]
    run = getattr(procedure, "run", None)
    context = {
        "case": case,
        "tasks": tasks,
        "next": mine[0] if mine else None,
        "stands": STAGE_TEXTS.get(case.stage, ""),
        "procedure": procedure,
        "run": run,
        "signed": case.signatures.in_force().exists(),
        "looks": latest_views(case),
        "notices": notices_for(request_user(request)),
    }
    return render(request, "patients/portal/portal.html", context)


def _afterwards(request: HttpRequest) -> HttpResponse:
    last = Case.objects.filter(patient=request_user(request)).order_by("-opened_at").first()
    ended = last.procedures.filter(state="done").first() if last else None
    context = {"case": last, "procedure": ended, "notices": notices_for(request_user(request))}
    return render(request, "patients/portal/after.html", context)
