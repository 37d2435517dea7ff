"""The staff pages of cases ("files" on pages and in URLs): the list, and one case."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.core.paginator import Paginator
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from clinic.access.policy import NAME_ROLES, allowed
from clinic.accounts.models import User
from clinic.http.requests import decision_of, request_user, wants_fragment
from patients.case_file.timeline import course_of
from patients.cases.current_case import case_or_404
from patients.cases.facts import status_of, statuses_of
from patients.cases.models import Case, CaseFields
from patients.cases.references import is_mistyped
from patients.cases.relations import patient_label, roles_on
from patients.cases.status import Status
from patients.cases.status_words import stage_word, wait_words
from patients.cases.view_log import latest_views, viewed
from patients.memories.models import Memory
from patients.memories.silhouette import silhouette
from patients.vault.keys import KeyGone

# Pages linked from a case, with the method to check: a link is shown only if the user may use it.
LINKS = {
    "review": ("patients:review", "GET"),
    "mapping": ("patients:mapping", "GET"),
    "custody": ("patients:custody", "GET"),
    "book": ("erasure:book", "POST"),
}


@dataclass(frozen=True)
class FileRow:
    """One line of the list. stands: the case's stage in words.

    name: the patient's, or "" for a reader who knows files by number only.
    """

    case: Case
    stands: str
    name: str


@require_safe
@never_cache
def cases(request: HttpRequest) -> HttpResponse:
    """List the cases whose page opens for this user, newest first.

    Search by the file number, or by the patient's name where the user reads it.
    """
    person = request_user(request)
    name = request.GET.get("name", "").replace("\0", "").strip()[:100]
    rows = Case.objects.visible_to(person).select_related("patient")
    if name:
        named = Case.objects.filter(patient__name__icontains=name).visible_to(person, roles=NAME_ROLES)
        numbered = Case.objects.numbered(name)
        rows = rows.filter(Q(pk__in=named.values("pk")) | Q(pk__in=numbered.values("pk")))
    page = Paginator(rows.order_by("-opened_at", "pk"), 25).get_page(request.GET.get("page"))
    shown = list(page.object_list)
    opening = roles_on(person, [case.pk for case in shown])
    statuses = statuses_of(shown)
    context = {
        "page": page,
        "rows": [
            _row(case, stage_word(statuses[case.pk]), opening.get(case.pk, frozenset())) for case in shown
        ],
        "name": name,
        "names": decision_of(request).names,
        "mistyped": is_mistyped(name),
    }
    template = "rows.html" if wants_fragment(request) else "list.html"
    return render(request, f"patients/case_file/{template}", context)


def _row(case: Case, stands: str, opening: frozenset[str]) -> FileRow:
    return FileRow(case, stands, "" if NAME_ROLES.isdisjoint(opening) else case.patient.name)


def _visible_fields(case: Case) -> CaseFields | None:
    """Return the decrypted fields of a case, None without the key."""
    try:
        fields: CaseFields = case.read()
    except KeyGone:
        return None
    return fields


def _strongest(case: Case, fields: CaseFields | None) -> str:
    """Return number and title of the most intense memory on the map that is not erased, or ""."""
    if fields is None:
        return ""
    left = case.memories.filter(zone=Memory.Zone.MAP, number__isnull=False).exclude(fate=Memory.Fate.ERASED)
    memory = left.exclude(intensity=None).order_by("-intensity", "number").first()
    if memory is None:
        return ""
    try:
        title = memory.read().title
    except KeyGone:
        return ""
    return f"[{memory.number}] {title or _('Untitled')}"


@require_safe
@never_cache
def case(request: HttpRequest, case: UUID) -> HttpResponse:
    """Show one case: its map, its timeline, its signatures and procedure."""
    row, person = case_or_404(case), request_user(request)
    viewed(row, "case", by=person)
    fields = _visible_fields(row) if decision_of(request).content else None
    status = status_of(row)
    may = _allowed_links(person, row, status)
    context = {
        "case": row,
        "label": patient_label(row, decision_of(request).roles),
        "status": status,
        "stands": stage_word(status),
        "waits": [(words, wait) for wait in status.waits if (words := wait_words(wait))],
        "fields": fields,
        "map": silhouette(row),
        "course": course_of(row, status),
        "strongest": _strongest(row, fields),
        "signatures": row.signatures.select_related("text").order_by("signed_at"),
        **_night_of(row, status),
        "may": may,
        "looks": latest_views(row),
    }
    return render(request, "patients/case_file/case.html", context)


def _allowed_links(person: User, case: Case, status: Status) -> dict[str, bool]:
    """Return for each page or action of the file whether to offer it: it is possible, and `person` may."""
    may = {
        key: allowed(person, name, {"case": case.pk}, method).allowed for key, (name, method) in LINKS.items()
    }
    may["book"] = may["book"] and status.allows("book")
    night = status.night
    if night and night.state == "booked":
        for key, name in {"move": "procedure-move", "cancel": "procedure-cancel", "start": "start"}.items():
            may[key] = allowed(person, f"erasure:{name}", {"procedure": night.id}, "POST").allowed
    if night and night.run:
        may["session"] = allowed(person, "erasure:session", {"run": night.run}, "GET").allowed
        may["certificate"] = allowed(person, "erasure:certificate", {"run": night.run}, "GET").allowed
    return may


def _night_of(case: Case, status: Status) -> dict[str, Any]:
    """Return what the file shows of the night booked or under way, else of the last: rows and its team."""
    if status.night is None:
        return {}
    procedure = case.procedures.select_related("booking", "run__certificate").get(pk=status.night.id)
    run = getattr(procedure, "run", None)
    return {
        "procedure": procedure,
        "team": [one.label for one in procedure.booking.resources.order_by("kind", "label")],
        "run": run,
        "certificate": getattr(run, "certificate", None),
    }
