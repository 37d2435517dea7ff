"""The patient's page of all keepsakes, on which many are changed at once, and the page of proposals."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.paginator import Page, Paginator
from django.db import transaction
from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from clinic.edits.gone import typed_words
from clinic.http.requests import request_user
from patients.cases.current_case import current_case, current_case_or_404
from patients.cases.editing import CaseLocked
from patients.cases.models import Case
from patients.cases.no_open_case import NoOpenCase
from patients.drafts.forms import uuid_or_none
from patients.drafts.reading import draft_on_page
from patients.drafts.writing import end_saved_draft
from patients.placement.changes import (
    CannotPlace,
    dismiss,
    place_keepsakes,
    recall_dismissed,
    undo,
    undoable,
)
from patients.placement.drafts import PLACEMENT
from patients.placement.forms import NEW, UNCHANGED, PlacementForm
from patients.placement.proposals import proposals_for
from patients.placement.sheet import (
    Memories,
    ReadKeepsake,
    brought_in,
    load_thumbs,
    memories_of,
    read_brought,
    read_keepsakes,
    read_ticks,
)

PAGE_SIZE = 60  # keepsakes on one page of the sheet
PROPOSALS_SHOWN = 12  # proposals on a page; the next ones follow as these are answered
EAGER = 12  # pictures that the browser loads immediately; about what a window shows
# Which keepsakes the sheet shows: those in no memory, those without a date, or all.
LOOSE, UNDATED, ALL = "loose", "undated", ""


@dataclass(frozen=True)
class SheetItem:
    """One keepsake on the sheet.

    changed: it was changed while the page from which a form came was open. eager: its picture is loaded
    immediately, and not when somebody scrolls to it.
    """

    keepsake: ReadKeepsake
    ticked: bool = False
    changed: bool = False
    eager: bool = False


@dataclass(frozen=True)
class Refusal:
    """A form that was not saved, as it is shown again: what was ticked, and why it was refused."""

    ticked: Collection[UUID] = ()
    changed: Collection[UUID] = field(default_factory=frozenset)
    problem: str = ""


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def sheet(request: HttpRequest) -> HttpResponse:
    """Show all keepsakes. POST: change all that are ticked, or, with status 409 or 422, none of them."""
    case = current_case(request)
    if case is None:
        raise NoOpenCase(typed_words(PlacementForm(request.POST, memories={})))
    memories = memories_of(case)
    if request.method != "POST":
        initial = {"memory": NEW if _chosen_filter(request) == LOOSE else UNCHANGED}
        return _sheet_page(request, case, memories, PlacementForm(memories=memories, initial=initial))
    form = PlacementForm(request.POST, memories=memories)
    ticks = read_ticks(request.POST.getlist("keepsake"))
    if not form.is_valid():
        return _sheet_page(request, case, memories, form, Refusal(ticks.keys()))
    try:
        with transaction.atomic():
            action = place_keepsakes(case, ticks, form.placing(), by=request_user(request))
            end_saved_draft(request, PLACEMENT)
    except CannotPlace as error:
        refusal = Refusal(ticks.keys(), error.changed, str(error))
    except CaseLocked as error:
        refusal = Refusal(ticks.keys(), problem=str(error))
    else:
        return redirect(_next_address(request, action))
    return _sheet_page(request, case, memories, form, refusal)


def _next_address(request: HttpRequest, action: UUID) -> str:
    """Return the address after an action: the page from which the form came, which offers to undo it."""
    if request.POST.get("from") == "proposals":
        return f"{reverse('patients:proposals')}?placed={action}#first"
    return f"{reverse('patients:sheet')}?show={_chosen_filter(request)}&placed={action}"


def _chosen_filter(request: HttpRequest) -> str:
    found = request.POST.get("show", request.GET.get("show", ALL))
    return found if found in {LOOSE, UNDATED} else ALL


def _page_of_keepsakes(
    request: HttpRequest, case: Case, memories: Memories, show: str, keepsakes: Sequence[ReadKeepsake] | None
) -> Page[Any]:
    """Return the page of the sheet that is asked for. Its `object_list` has decrypted keepsakes.

    keepsakes: all of the case, if they are decrypted already. Otherwise only those of this page are, so that
    the sheet of 1,000 opens as quickly as that of 25.
    """
    number = request.GET.get("page")
    if show == UNDATED and keepsakes is not None:
        return Paginator([keepsake for keepsake in keepsakes if not keepsake.known_day], PAGE_SIZE).get_page(
            number
        )
    rows = brought_in(case).filter(memory=None) if show == LOOSE else brought_in(case)
    page: Page[Any] = Paginator(rows, PAGE_SIZE).get_page(number)
    page.object_list = read_keepsakes(page.object_list, memories)
    return page


def _sheet_page(
    request: HttpRequest,
    case: Case,
    memories: Memories,
    form: PlacementForm,
    refusal: Refusal | None = None,
) -> HttpResponse:
    """Render the sheet. refusal: what was ticked and why nothing was done, if the form is shown again."""
    show = _chosen_filter(request)
    shown_again = refusal or Refusal()
    action = _action_to_undo(request)
    # Whether a keepsake has a date, and which ones an action changed, is known only once all are decrypted.
    everything = read_brought(case, memories).keepsakes if action or show == UNDATED else None
    page = _page_of_keepsakes(request, case, memories, show, everything)
    on_page = {keepsake.row.pk for keepsake in page.object_list}
    # Keepsakes that were ticked on another page stand first, so that the form sends them again.
    elsewhere = set(shown_again.ticked) - on_page
    further = read_keepsakes(brought_in(case).filter(pk__in=elsewhere), memories) if elsewhere else []
    keepsakes = [*further, *page.object_list]
    load_thumbs(keepsakes)
    context = {
        **_shared_context(case, action, everything),
        "items": [
            SheetItem(
                keepsake,
                keepsake.row.pk in shown_again.ticked,
                keepsake.row.pk in shown_again.changed,
                place < EAGER,
            )
            for place, keepsake in enumerate(keepsakes)
        ],
        "page": page,
        "show": show,
        "tab": show or "all",
        "form": form,
        "problem": shown_again.problem,
        "draft": draft_on_page(request, PLACEMENT, form),
    }
    status = 409 if shown_again.problem else 422 if refusal else 200
    return render(request, "patients/placement/sheet.html", context, status=status)


def _action_to_undo(request: HttpRequest) -> UUID | None:
    """Return the id of the action that led to this page; None if none did."""
    return uuid_or_none(request.GET.get("placed", ""))


def _shared_context(
    case: Case, action: UUID | None, keepsakes: Sequence[ReadKeepsake] | None
) -> dict[str, Any]:
    """Return what both pages show: how many keepsakes there are, and how many an undo would change.

    action: the one that can be undone. keepsakes: all keepsakes of the case; not needed without an action.
    """
    changed = undoable(keepsakes, action) if action and keepsakes is not None else []
    return {
        "case": case,
        **brought_in(case).aggregate(
            all_count=Count("pk"), loose_count=Count("pk", filter=Q(memory__isnull=True))
        ),
        "placed": len(changed),
        "action": action if changed else "",
    }


@require_safe
@never_cache
def proposals(request: HttpRequest) -> HttpResponse:
    """Show which keepsakes may belong in one memory; each proposal can be accepted or dismissed."""
    case = current_case_or_404(request)
    brought = read_brought(case)
    found = proposals_for(brought)
    shown = found[:PROPOSALS_SHOWN]
    load_thumbs(keepsake for proposal in shown for keepsake in proposal.keepsakes)
    context = {
        **_shared_context(case, _action_to_undo(request), brought.keepsakes),
        "proposals": shown,
        "more": max(0, len(found) - PROPOSALS_SHOWN),
        "unproposed": len(brought.loose) - sum(len(proposal.keepsakes) for proposal in found),
        "dismissed": any(keepsake.fields.dismissed for keepsake in brought.loose),
        "tab": "proposals",
    }
    return render(request, "patients/placement/proposals.html", context)


@require_POST
@never_cache
def dismiss_proposal(request: HttpRequest) -> HttpResponse:
    """Dismiss a proposal. It changes no words, so it does not matter what was changed meanwhile."""
    case = current_case_or_404(request)
    try:
        dismiss(case, list(read_ticks(request.POST.getlist("keepsake"))), by=request_user(request))
    except (CannotPlace, CaseLocked) as refusal:
        messages.error(request, str(refusal))
        return redirect("patients:proposals")
    return redirect(f"{reverse('patients:proposals')}#first")


@require_POST
@never_cache
def recall(request: HttpRequest) -> HttpResponse:
    """Show the dismissed proposals again."""
    try:
        recall_dismissed(current_case_or_404(request), by=request_user(request))
    except CaseLocked as refusal:
        messages.error(request, str(refusal))
    return redirect("patients:proposals")


@require_POST
@never_cache
def undo_action(request: HttpRequest) -> HttpResponse:
    """Undo an action, unless one of its keepsakes was changed since."""
    case = current_case_or_404(request)
    try:
        # An action that nobody knows is refused as one that was followed by a change.
        action = uuid_or_none(request.POST.get("action", "")) or UUID(int=0)
        n = undo(case, action, by=request_user(request))
        text = ngettext("%(n)d keepsake is as it was.", "%(n)d keepsakes are as they were.", n) % {"n": n}
        messages.success(request, text)
    except (CannotPlace, CaseLocked) as refusal:
        messages.error(request, str(refusal))
    if request.POST.get("tab") == "proposals":
        return redirect("patients:proposals")
    return redirect(f"{reverse('patients:sheet')}?show={_chosen_filter(request)}")
