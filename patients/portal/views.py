"""The patient's portal: what was done, what is next, and the page after the case is closed."""

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

# The stage of the case, as shown to the patient. Other stages have no text.
STAGE_TEXTS: dict[str, str | Promise] = {
    Case.Stage.REVIEW: gettext_lazy("We are looking through what you brought."),
    Case.Stage.CONSENTED: gettext_lazy("We are looking for a night for you."),
    Case.Stage.BOOKED: gettext_lazy("Your night is booked."),
    Case.Stage.RUNNING: gettext_lazy("It is happening now."),
}


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


def _keepsake_tasks(case: Case, subject_named: bool, storage_agreed: bool) -> list[Task]:
    """Return the lines about keepsakes: how many, how many without a memory, how many returned."""
    counts: dict[str, Any] = Keepsake.objects.filter(case=case, gone_at__isnull=True).aggregate(
        count=Count("pk"),
        last=Max("added_at"),
        loose=Count("pk", filter=Q(memory__isnull=True)),
        returned=Count("pk", filter=Q(review=Keepsake.Review.RETURNED)),
    )
    url, count = reverse("patients:keepsakes"), counts["count"]
    if not case.map_is_open:
        text = ngettext("%(n)d keepsake brought", "%(n)d keepsakes brought", count) % {"n": count}
        return [Task(text, "done", "", _date(counts["last"]))]
    handed_in = case.stage == Case.Stage.REVIEW
    state = "done" if handed_in and count else ("now" if subject_named and storage_agreed else "next")
    text = _("Bring your keepsakes")
    if count:
        text = ngettext("Bring your keepsakes: %(n)d so far", "Bring your keepsakes: %(n)d so far", count)
        text %= {"n": count}
    tasks = [Task(text, state, url if storage_agreed else "", _date(counts["last"]))]
    if loose := counts["loose"]:
        words = ngettext("Place %(n)d keepsake in a memory", "Place %(n)d keepsakes in a memory", loose)
        tasks.append(Task(words % {"n": loose}, "now", url))
    if back := counts["returned"]:
        words = ngettext("Look again at %(n)d that we returned", "Look again at %(n)d that we returned", back)
        tasks.append(Task(words % {"n": back}, "alarm", url))
    return tasks


def tasks_of(case: Case, procedure: Any = None) -> list[Task]:
    """Return the tasks of patient and clinic in order: done, current, next. procedure: booked or started."""
    subject_named = bool(case.read().subject_name)
    signed = {
        signature.text.kind: signature for signature in case.signatures.in_force().select_related("text")
    }
    storage_signature = signed.get(ConsentText.Kind.STORAGE)
    procedure_signature = signed.get(ConsentText.Kind.PROCEDURE)
    locked_map = LockedMap.objects.filter(case=case, unlocked_at__isnull=True).first()
    consent = reverse("patients:consent")
    now_or_next = "now" if case.map_is_open else "next"
    tasks = [
        Task(
            _("Tell us whom it is about"),
            "done" if subject_named else "now",
            reverse("patients:intake") if case.map_is_open else "",
            _date(_intake_answered_at(case)),
        ),
        Task(
            _("Agree that we keep what you bring"),
            "done" if storage_signature else now_or_next if subject_named else "next",
            consent,
            _date(storage_signature.signed_at if storage_signature else None),
        ),
        *_keepsake_tasks(case, subject_named, storage_signature is not None),
        Task(
            _("We look through it, and draw your map with you"),
            "done" if locked_map else "now" if case.stage == Case.Stage.REVIEW else "next",
            when=_date(locked_map.locked_at if locked_map else None),
            mine=False,
        ),
        Task(
            _("Read and sign for exactly your map"),
            "done" if procedure_signature else "now" if locked_map else "next",
            consent if locked_map else "",
            _date(procedure_signature.signed_at if procedure_signature else None),
        ),
    ]
    return [*tasks, *_procedure_tasks(case, procedure_signature, procedure)]


def _procedure_tasks(case: Case, procedure_signature: Any, procedure: Any) -> list[Task]:
    run = getattr(procedure, "run", None)
    if procedure:
        when = date_format(timezone.localtime(procedure.booking.starts_at), "SHORT_DATETIME_FORMAT")
        url = reverse("erasure:session", kwargs={"run": run.pk}) if run else ""
        night = Task(_("The night"), "now" if run else "next", url, when, mine=False)
    elif procedure_signature:
        words = _("The night, from %(day)s on") % {"day": _date(may_start_from(procedure_signature))}
        night = Task(words, "next", mine=False)
    else:
        night = Task(_("The night"), "next", mine=False)
    return [night, Task(_("The morning after, your certificate"), "next", mine=False)]


@require_safe
@never_cache
def portal(request: HttpRequest) -> HttpResponse:
    """Show the tasks of the current case. Without one, show the page for afterwards, without the subject."""
    case = current_case(request)
    if case is None:
        return _render_after(request)
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


def _render_after(request: HttpRequest) -> HttpResponse:
    last = Case.objects.filter(patient=request_user(request)).order_by("-opened_at").first()
    ended = last.procedures.filter(state="done").first() if last else None
    context = {"case": last, "procedure": ended, "notices": notices_for(request_user(request))}
    return render(request, "patients/portal/after.html", context)
