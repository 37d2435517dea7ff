"""The review inbox of one case."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from clinic.http.requests import request_user, wants_fragment
from patients.cases.current_case import case_or_404
from patients.cases.models import Case
from patients.cases.view_log import viewed
from patients.keepsakes.letters import undrawn_letters
from patients.keepsakes.looks import REVIEW_REASONS, NoReason, record_look
from patients.keepsakes.models import Keepsake, KeepsakeFields
from patients.keepsakes.playback import original_of, with_player
from patients.keepsakes.review import CannotReview, accept, accept_rest, return_keepsake
from patients.memories.models import MemoryFields
from patients.vault.models import StoredObject
from patients.vault.sealed import read_many

PAGE_SIZE = 24
TABS = ("waiting", "returned", "accepted", "all")


@dataclass(frozen=True)
class Item:
    """One keepsake in the inbox, with its decrypted fields. sharp: its preview is shown unblurred."""

    keepsake: Keepsake
    fields: KeepsakeFields
    memory: MemoryFields | None
    sharp: bool = False
    problem: str = ""
    plays: StoredObject | None = None  # its original, if it can be played; only set together with `sharp`
    undrawn: int = 0  # number of letters of its text that its page does not show

    @property
    def key(self) -> str:
        return str(self.keepsake.pk)


def _items(
    keepsakes: Collection[Keepsake], *, sharp: UUID | None = None, problems: dict[UUID, str] | None = None
) -> list[Item]:
    """Return items for `keepsakes`, decrypting their fields and their memories' in two batches.

    The caller has loaded their memories. sharp: the keepsake to show unblurred. problems: error messages by
    keepsake id.
    """
    fields_by_id = read_many(keepsakes)
    memory_fields_by_id = read_many([one.memory for one in keepsakes if one.memory])
    return [
        Item(
            one,
            fields_by_id.get(one.pk) or KeepsakeFields(),
            memory_fields_by_id.get(one.memory_id),
            one.pk == sharp,
            (problems or {}).get(one.pk, ""),
            original_of(one) if one.pk == sharp else None,
            undrawn_letters(one, fields_by_id.get(one.pk) or KeepsakeFields()),
        )
        for one in keepsakes
    ]


def _counts(case: Case) -> dict[str, int]:
    rows = Keepsake.objects.filter(case=case, gone_at__isnull=True)
    return rows.aggregate(
        all=Count("pk"),
        **{state: Count("pk", filter=Q(review=state)) for state in Keepsake.Review.values},
    )


def _inbox(case: Case, show: str, page: str | None, **item_options: Any) -> dict[str, Any]:
    """Return the template context of the inbox. item_options: `sharp` and `problems` of `_items`."""
    counts = _counts(case)
    rows = Keepsake.objects.filter(case=case, gone_at__isnull=True).select_related("memory", "picture")
    if show != "all":
        rows = rows.filter(review=show)
    current = Paginator(rows.order_by("added_at", "pk"), PAGE_SIZE).get_page(page)
    names = {"waiting": _("Waiting"), "returned": _("Returned"), "accepted": _("Accepted"), "all": _("All")}
    return {
        "case": case,
        "counts": counts,
        "page": current,
        "items": _items(list(current.object_list), **item_options),
        "show": show,
        "tabs": [(key, names[key], counts[key]) for key in TABS],
        "reasons": REVIEW_REASONS,
        "seen": timezone.now().isoformat(),
        "open": case.map_is_open,
    }


def _requested_tab(request: HttpRequest) -> str:
    show = request.POST.get("show") or request.GET.get("show") or "waiting"
    return show if show in TABS else "waiting"


@require_safe
@never_cache
@with_player
def review(request: HttpRequest, case: UUID) -> HttpResponse:
    """The inbox: keepsakes of the requested tab, with blurred previews."""
    row = case_or_404(case)
    if not wants_fragment(request):
        viewed(row, "review", by=request_user(request))
    context = _inbox(row, _requested_tab(request), request.GET.get("page"))
    template = "_inbox.html" if wants_fragment(request) else "review.html"
    return render(request, f"patients/keepsakes/{template}", context)


def _respond(request: HttpRequest, case: Case, keepsake: Keepsake, problem: str = "") -> HttpResponse:
    """Render the item for htmx, else redirect to the inbox. A problem (409) is shown at its item."""
    status = 409 if problem else 200
    if wants_fragment(request):
        row = Keepsake.objects.select_related("memory").get(pk=keepsake.pk)
        [item] = _items([row], problems={row.pk: problem} if problem else None)
        context = {
            "item": item,
            "case": case,
            "counts": _counts(case),
            "reasons": REVIEW_REASONS,
            "open": case.map_is_open,
            "show": _requested_tab(request),
            "also_counts": True,
        }
        return render(request, "patients/keepsakes/_item.html", context, status=status)
    if problem:
        inbox = _inbox(
            case, _requested_tab(request), request.POST.get("page"), problems={keepsake.pk: problem}
        )
        if all(item.keepsake.pk != keepsake.pk for item in inbox["items"]):
            messages.error(request, problem)
        return render(request, "patients/keepsakes/review.html", inbox, status=status)
    return redirect(f"{reverse('patients:review', args=[case.pk])}?show={_requested_tab(request)}")


@require_POST
def decide(request: HttpRequest, case: UUID, keepsake: UUID) -> HttpResponse:
    """Accept one keepsake or return it with a reason."""
    row = get_object_or_404(Keepsake, pk=keepsake, case=case, gone_at__isnull=True)
    person = request_user(request)
    problem = ""
    try:
        match request.POST.get("decision"):
            case "accept":
                accept(row, by=person)
            case "return":
                return_keepsake(row, request.POST.get("reason", ""), by=person)
            case _:
                problem = _("Choose whether to accept it or to return it.")
    except CannotReview as refusal:
        problem = str(refusal)
    return _respond(request, case_or_404(case), row, problem)


@require_POST
@never_cache
@with_player
def sharpen(request: HttpRequest, case: UUID, keepsake: UUID) -> HttpResponse:
    """Show one preview unblurred in this response only, after recording the reason."""
    case_row = case_or_404(case)
    row = get_object_or_404(
        Keepsake.objects.select_related("memory"), pk=keepsake, case=case, gone_at__isnull=True
    )
    try:
        record_look(row, request.POST.get("why", ""), by=request_user(request))
    except NoReason as refusal:
        return _respond(request, case_row, row, str(refusal))
    if wants_fragment(request):
        [item] = _items([row], sharp=row.pk)
        context = {
            "item": item,
            "case": case_row,
            "reasons": REVIEW_REASONS,
            "open": case_row.map_is_open,
            "show": _requested_tab(request),
        }
        return render(request, "patients/keepsakes/_item.html", context)
    context = _inbox(case_row, _requested_tab(request), request.POST.get("page"), sharp=row.pk)
    return render(request, "patients/keepsakes/review.html", context)


@require_POST
def rest(request: HttpRequest, case: UUID) -> HttpResponse:
    """Accept all keepsakes that were waiting when the page was made."""
    row = case_or_404(case)
    seen = _parse_time(request.POST.get("seen", ""))
    try:
        if seen is None:
            raise CannotReview(_("Please look at the page again."))
        count = accept_rest(row, seen_until=seen, by=request_user(request))
        text = ngettext("%(n)d keepsake accepted.", "%(n)d keepsakes accepted.", count) % {"n": count}
        messages.success(request, text)
    except CannotReview as refusal:
        messages.error(request, str(refusal))
    return redirect("patients:review", case=row.pk)


def _parse_time(text: str) -> datetime | None:
    try:
        moment = parse_datetime(text)
    except ValueError:
        return None
    return moment if moment and moment.tzinfo else None
