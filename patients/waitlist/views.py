"""The desk's pages of the waitlist: the list, a new entry, one entry, and answers to offers."""

from functools import partial
from uuid import UUID

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from clinic.edits.changes import last_change
from clinic.http.requests import request_user
from patients.cases.current_case import case_or_404
from patients.waitlist.configuration import is_open_on
from patients.waitlist.entries import (
    CannotWait,
    change_wishes,
    entry_mark,
    lock_entry,
    move_up,
    note_of,
    put_on_waitlist,
    take_off,
    with_relations,
)
from patients.waitlist.forms import NewEntryForm, WishesForm
from patients.waitlist.lists import (
    read_filter,
    rows_of,
    seasons_ahead,
    waitlist_page,
    what_choices,
)
from patients.waitlist.models import WaitlistEntry, WaitlistOffer
from patients.waitlist.offers import OfferOver, accept, decline
from patients.waitlist.supervisor_work import offer_all_free_times
from patients.waitlist.waitables import entry_words


@require_safe
@never_cache
def waitlist(request: HttpRequest) -> HttpResponse:
    """List who waits, in the order in which times are offered, with filters and pages."""
    choices, seasons, viewer = what_choices(), seasons_ahead(), request_user(request)
    chosen = read_filter(request.GET, choices, seasons)
    page, count = waitlist_page(request.GET, chosen, viewer)
    context = {
        "rows": rows_of(page.rows, viewer),
        "page": page,
        "count": count,
        "choices": choices,
        "seasons": seasons,
        "chosen": chosen,
        "narrowed": bool(chosen.what or chosen.season),
        "open": is_open_on(timezone.localdate()),
    }
    return render(request, "patients/waitlist/list.html", context)


@require_POST
@never_cache
def offer_free_times(request: HttpRequest) -> HttpResponse:
    """Offer the free times of the next weeks, in the order of the list."""
    made = offer_all_free_times(by=request_user(request))
    if made:
        message = ngettext(
            "%(n)d time is offered, and the patient is told by mail.",
            "%(n)d times are offered, and the patients are told by mail.",
            made,
        )
        messages.success(request, message % {"n": made})
    else:
        messages.info(request, _("No free time suits anybody who waits and has no offer yet."))
    return redirect("patients:waitlist")


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def new_entry(request: HttpRequest, case: UUID) -> HttpResponse:
    """Put a patient on the waitlist."""
    row = case_or_404(case)
    initial = {"days": [str(number) for number in range(7)], "what": request.GET.get("what", "")}
    form = NewEntryForm(request.POST if request.method == "POST" else None, case=row, initial=initial)
    status = 200
    if form.is_bound:
        status = 422
        if form.is_valid():
            try:
                put_on_waitlist(
                    row,
                    form.template,
                    wishes=form.wishes(),
                    place=form.place,
                    note=form.cleaned_data["note"],
                    by=request_user(request),
                )
            except CannotWait as refusal:
                form.add_error(None, str(refusal))
                status = 409
            else:
                messages.success(request, _("The patient is on the waitlist."))
                return redirect("patients:case", case=row.pk)
    context = {"case": row, "form": form, "open": is_open_on(timezone.localdate())}
    return render(request, "patients/waitlist/new.html", context, status=status)


def _entry_or_404(waitlist_entry: UUID) -> WaitlistEntry:
    entry: WaitlistEntry = get_object_or_404(with_relations(WaitlistEntry.objects.all()), pk=waitlist_entry)
    return entry


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def entry_page(request: HttpRequest, waitlist_entry: UUID) -> HttpResponse:
    """Show one entry; a POST changes which times suit the patient."""
    row = _entry_or_404(waitlist_entry)
    form, status = _form(request, row), 200
    if request.method == "POST":
        try:
            form, status = _save(request, row)
        except CannotWait as refusal:
            messages.error(request, str(refusal))
            return redirect("patients:waitlist-entry", waitlist_entry=row.pk)
        if status == 302:
            return redirect("patients:waitlist")
    context = {
        "case": row.case,
        "entry": row,
        "what": entry_words(row),
        "form": form,
        "seen": entry_mark(row),
        "offers": _offers(row),
    }
    return render(request, "patients/waitlist/one.html", context, status=status)


def _form(request: HttpRequest, row: WaitlistEntry, posted: object = None) -> WishesForm:
    about = f"waitlist-entry:{row.pk}"
    saved = WishesForm.saved_of(row, note_of(row))
    changed_by = partial(last_change, about, ["waitlist.changed"], viewer=request_user(request), names=True)
    return WishesForm(posted, about=about, saved=saved, initial=saved, changed_by=changed_by)


@transaction.atomic
def _save(request: HttpRequest, row: WaitlistEntry) -> tuple[WishesForm, int]:
    """Save what was sent, under the lock of the case. Return the form and the status of the response.

    The status is 302 if the form was valid. Raises CannotWait if the entry is not on the list any more.
    """
    form = _form(request, lock_entry(row), request.POST)
    if not form.is_valid():
        return form, form.refused_status()
    values = form.wishes() | {"note": form.cleaned_data["note"]}
    changed = change_wishes(row, values, form.edited_wishes, by=request_user(request))
    messages.success(request, _("Saved.") if changed else _("Nothing was changed: it is so already."))
    return form, 302


def _offers(row: WaitlistEntry) -> list[WaitlistOffer]:
    """Return the offers that were made for an entry, the newest first."""
    return list(row.offers.select_related("booking").order_by("-made_at"))


@require_POST
@never_cache
def move_up_entry(request: HttpRequest, waitlist_entry: UUID) -> HttpResponse:
    """Put an entry at the head of the list, with a reason."""
    row = _entry_or_404(waitlist_entry)
    reason = request.POST.get("reason", "").replace("\0", "")[:200]
    try:
        moved = move_up(row, reason=reason, seen=request.POST.get("seen", ""), by=request_user(request))
    except CannotWait as refusal:
        messages.error(request, str(refusal))
        return redirect("patients:waitlist-entry", waitlist_entry=row.pk)
    message = _("This place is the first now.") if moved else _("Nothing was changed: it is so already.")
    messages.success(request, message)
    return redirect("patients:waitlist")


@require_POST
@never_cache
def take_off_entry(request: HttpRequest, waitlist_entry: UUID) -> HttpResponse:
    """Take an entry off the list."""
    row = _entry_or_404(waitlist_entry)
    try:
        take_off(
            row,
            because=WaitlistEntry.Ended.REMOVED,
            seen=request.POST.get("seen", ""),
            by=request_user(request),
        )
        messages.success(request, _("Taken off the waitlist."))
    except CannotWait as refusal:
        messages.error(request, str(refusal))
    return redirect("patients:waitlist")


@require_POST
@never_cache
def answer_offer(request: HttpRequest, waitlist_offer: UUID) -> HttpResponse:
    """Accept or decline an offer for a patient who has called."""
    row = get_object_or_404(WaitlistOffer, pk=waitlist_offer)
    try:
        if request.POST.get("do") == "accept":
            accept(row, by=request_user(request))
            messages.success(request, _("It is booked, and everybody concerned is told."))
        elif request.POST.get("do") == "decline":
            decline(row, by=request_user(request))
            messages.success(request, _("Declined. The time is offered to the next."))
        else:
            messages.error(request, _("Please accept or decline."))
    except OfferOver as refusal:
        messages.error(request, str(refusal))
    return redirect("patients:waitlist")
