"""The staff pages of cases ("files" on pages and in URLs): the list, and one case."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.core.paginator import Paginator
from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from clinic.access.policy import NAME_ROLES, allowed
from clinic.http.requests import decision_of, request_user, wants_fragment
from patients.case_file.timeline import course_of
from patients.cases.current_case import case_or_404
from patients.cases.models import Case, CaseFields
from patients.cases.references import is_mistyped
from patients.cases.relations import patient_label, roles_on
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
    """One line of the list. name: the patient's, or "" for a reader who knows files by number only."""

    case: Case
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
    opening = roles_on(person, [case.pk for case in page.object_list])
    context = {
        "page": page,
        "rows": [_row(case, opening.get(case.pk, frozenset())) for case in page.object_list],
        "name": name,
        "names": decision_of(request).names,
        "mistyped": is_mistyped(name),
    }
    template = "rows.html" if wants_fragment(request) else "list.html"
    return render(request, f"patients/case_file/{template}", context)


def _row(case: Case, opening: frozenset[str]) -> FileRow:
    return FileRow(case, "" if NAME_ROLES.isdisjoint(opening) else case.patient.name)


def _visible_fields(case: Case) -> CaseFields | None:
    """Return the decrypted fields of a case, None without the key."""
    try:
        fields: CaseFields = case.read()
    except KeyGone:
        return None
    return fields


def _counts(case: Case) -> dict[str, int]:
    on_map = Q(zone=Memory.Zone.MAP)
    here = Q(gone_at__isnull=True)
    return case.memories.aggregate(
        memories=Count("pk", filter=on_map),
        destroyed=Count("pk", filter=on_map & Q(fate=Memory.Fate.ERASED)),
        protected=Count("pk", filter=on_map & Q(fate=Memory.Fate.PROTECTED)),
        childhood=Count("pk", filter=~on_map),
    ) | case.keepsakes.aggregate(
        keepsakes=Count("pk", filter=here), waiting=Count("pk", filter=here & Q(review="waiting"))
    )


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
    procedure = (
        row.procedures.exclude(state="canceled")
        .select_related("booking", "run")
        .order_by("-booked_at")
        .first()
    )
    may: dict[str, Any] = {
        key: allowed(person, name, {"case": row.pk}, method).allowed for key, (name, method) in LINKS.items()
    }
    if procedure:
        for key, name in {"move": "procedure-move", "cancel": "procedure-cancel", "start": "start"}.items():
            may[key] = allowed(person, f"erasure:{name}", {"procedure": procedure.pk}, "POST").allowed
    run = getattr(procedure, "run", None)
    if run:
        may["session"] = allowed(person, "erasure:session", {"run": run.pk}, "GET").allowed
        may["certificate"] = allowed(person, "erasure:certificate", {"run": run.pk}, "GET").allowed
    context = {
        "case": row,
        "label": patient_label(row, decision_of(request).roles),
        "fields": fields,
        "map": silhouette(row),
        "course": course_of(row),
        "counts": _counts(row),
        "strongest": _strongest(row, fields),
        "signatures": row.signatures.select_related("text").order_by("signed_at"),
        "procedure": procedure,
        "team": [one.label for one in procedure.booking.resources.order_by("kind", "label")]
        if procedure
        else [],
        "run": run,
        "certificate": getattr(run, "certificate", None),
        "may": may,
        "looks": latest_views(row),
    }
    return render(request, "patients/case_file/case.html", context)
