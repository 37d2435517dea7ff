"""The staff pages of cases ("files" on pages and in URLs): the list, and one case."""

from typing import Any
from uuid import UUID

from django.core.paginator import Paginator
from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from clinic.access.policy import allowed
from clinic.accounts.models import Role, User
from clinic.http.requests import request_user, wants_fragment
from patients.case_file.timeline import course_of
from patients.cases.current_case import case_or_404
from patients.cases.models import Case, CaseFields
from patients.cases.references import is_mistyped
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


@require_safe
@never_cache
def cases(request: HttpRequest) -> HttpResponse:
    """List the cases this user may see, newest first. Search by the patient's name or the file number."""
    name = request.GET.get("name", "").replace("\0", "").strip()[:100]
    visible = Case.objects.visible_to(request_user(request))
    rows = Case.objects.filter(pk__in=visible.values("pk")).select_related("patient")
    if name:
        numbered = Case.objects.numbered(name)
        rows = rows.filter(Q(patient__name__icontains=name) | Q(pk__in=numbered.values("pk")))
    page = Paginator(rows.order_by("-opened_at", "pk"), 25).get_page(request.GET.get("page"))
    template = "rows.html" if wants_fragment(request) else "list.html"
    context = {"page": page, "name": name, "mistyped": is_mistyped(name)}
    return render(request, f"patients/case_file/{template}", context)


def _visible_fields(case: Case, person: User) -> CaseFields | None:
    """Return the decrypted fields of a case; None for a role that must not read them, or without the key."""
    if not person.has_role(Role.DOCTOR, Role.TECHNICIAN, Role.RECEPTIONIST):
        return None
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
    fields = _visible_fields(row, person)
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
