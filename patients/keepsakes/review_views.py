"""The review inbox of one case."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.paginator import Paginator
from django.db import transaction
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

from clinic.accounts.models import User
from clinic.http.requests import announce, request_user, wants_fragment
from patients.cases.current_case import case_or_404
from patients.cases.models import Case
from patients.cases.view_log import viewed
from patients.drafts.reading import FormDraft, drafts_of
from patients.drafts.writing import end_saved_draft
from patients.keepsakes.drafts import return_draft
from patients.keepsakes.letters import count_undrawn_characters
from patients.keepsakes.looks import REVIEW_REASONS, NoReason, record_look
from patients.keepsakes.models import Keepsake, KeepsakeFields
from patients.keepsakes.playback import played_of, with_player
from patients.keepsakes.review import (
    MAX_REASON_LENGTH,
    CannotReview,
    accept,
    accept_rest,
    return_keepsake,
    review_mark,
)
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
    reason: str = ""  # as it was typed for a return that was refused
    plays: StoredObject | None = None  # its original, if it can be played; only set together with `sharp`
    undrawn: int = 0  # number of characters of its text that its page does not show
    draft: FormDraft | None = None  # why to return it, as the person who looks has typed it

    @property
    def seen(self) -> str:
        """The mark of what the inbox shows of it."""
        return review_mark(self.keepsake, self.fields)

    @property
    def key(self) -> str:
        return str(self.keepsake.pk)


def _items(
    keepsakes: Collection[Keepsake],
    *,
    by: User,
    sharp: UUID | None = None,
    problems: dict[UUID, str] | None = None,
    reason: str = "",
) -> list[Item]:
    """Return items for `keepsakes`, decrypting their fields and their memories' in two batches.

    The caller has loaded their memories. by: whose drafts to show. sharp: the keepsake to show unblurred.
    problems: error messages by keepsake id. reason: what was typed as the reason for the return of one that
    has a problem.
    """
    fields_by_id = read_many(keepsakes)
    memory_fields_by_id = read_many([one.memory for one in keepsakes if one.memory])
    drafts = drafts_of(by, [return_draft(one.pk) for one in keepsakes])
    return [
        Item(
            keepsake=one,
            fields=fields_by_id.get(one.pk) or KeepsakeFields(),
            memory=memory_fields_by_id.get(one.memory_id),
            sharp=one.pk == sharp,
            problem=(problems or {}).get(one.pk, ""),
            reason=reason if one.pk in (problems or {}) else "",
            plays=played_of(one) if one.pk == sharp else None,
            undrawn=count_undrawn_characters(one, fields_by_id.get(one.pk) or KeepsakeFields()),
            draft=drafts[return_draft(one.pk)],
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
    """Return the template context of the inbox. item_options: the options of `_items`."""
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
    context = _inbox(row, _requested_tab(request), request.GET.get("page"), by=request_user(request))
    template = "_inbox.html" if wants_fragment(request) else "review.html"
    return render(request, f"patients/keepsakes/{template}", context)


def _fragment(request: HttpRequest, case: Case, item: Item, status: int = 200) -> HttpResponse:
    """Return one item for htmx, with the tabs and the messages."""
    context = {
        "item": item,
        "case": case,
        "counts": _counts(case),
        "reasons": REVIEW_REASONS,
        "open": case.map_is_open and item.keepsake.gone_at is None,
        "show": _requested_tab(request),
        "fragment": True,
    }
    return render(request, "patients/keepsakes/_item.html", context, status=status)


def _respond(request: HttpRequest, case: Case, keepsake: Keepsake, problem: str = "") -> HttpResponse:
    """Render the item for htmx, else redirect to the inbox. A problem (409) is shown at its item."""
    status = 409 if problem else 200
    item_options: dict[str, Any] = {}
    if problem:
        item_options = {"problems": {keepsake.pk: problem}, "reason": _typed_reason(request)}
    if wants_fragment(request):
        row = Keepsake.objects.select_related("memory").get(pk=keepsake.pk)
        [item] = _items([row], by=request_user(request), **item_options)
        return _fragment(request, case, item, status)
    if problem:
        inbox = _inbox(
            case, _requested_tab(request), request.POST.get("page"), by=request_user(request), **item_options
        )
        if all(item.keepsake.pk != keepsake.pk for item in inbox["items"]):
            messages.error(request, problem)
        return render(request, "patients/keepsakes/review.html", inbox, status=status)
    return redirect(f"{reverse('patients:review', args=[case.pk])}?show={_requested_tab(request)}")


def _typed_reason(request: HttpRequest) -> str:
    return request.POST.get("reason", "")[:MAX_REASON_LENGTH]


def _report(request: HttpRequest, case: Case, done: str) -> None:
    """Tell the person what was done, and how many keepsakes wait now."""
    waiting = _counts(case)["waiting"]
    if waiting:
        rest = ngettext("%(n)d keepsake waits for review.", "%(n)d keepsakes wait for review.", waiting) % {
            "n": waiting
        }
    else:
        rest = _("Nothing waits for review.")
    announce(request, f"{done} {rest}")


@require_POST
def decide(request: HttpRequest, case: UUID, keepsake: UUID) -> HttpResponse:
    """Accept one keepsake or return it with a reason."""
    row = get_object_or_404(Keepsake, pk=keepsake, case=case)
    person = request_user(request)
    problem = ""
    try:
        match request.POST.get("decision"):
            case "accept":
                accept(row, seen=request.POST.get("seen", ""), by=person)
                _report(request, row.case, _("Accepted."))
            case "return":
                reason, seen = request.POST.get("reason", ""), request.POST.get("seen", "")
                with transaction.atomic():
                    return_keepsake(row, reason, seen=seen, by=person)
                    end_saved_draft(request, return_draft(row.pk))
                _report(request, row.case, _("Returned to the patient."))
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
    announce(request, _("Shown sharp. The look is on record, and the patient can read it."))
    if wants_fragment(request):
        [item] = _items([row], by=request_user(request), sharp=row.pk)
        return _fragment(request, case_row, item)
    context = _inbox(
        case_row, _requested_tab(request), request.POST.get("page"), by=request_user(request), sharp=row.pk
    )
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
