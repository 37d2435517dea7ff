"""Views that book, move and cancel a procedure."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from clinic.accounts.models import User
from clinic.calendar.board import Block, Span, day_or_today, resource_blocks
from clinic.calendar.bookings import booking_mark
from clinic.calendar.durations import format_duration
from clinic.calendar.models import Resource
from clinic.calendar.moving import MAY_BOOK_OUTSIDE
from clinic.configuration.values import value_of
from clinic.http.requests import announce, decision_of, request_user, wants_fragment
from erasure.procedures.booking import (
    CannotBook,
    book_procedure,
    cancel_procedure,
    consent_in_force,
    move_procedure,
)
from erasure.procedures.forms import BookingForm, CancelForm, HoursForm, MoveForm
from erasure.procedures.models import Procedure
from erasure.procedures.offers import OfferedNight, first_allowed, offered_nights, wanted_for
from erasure.procedures.readiness import is_missed
from patients.cases.current_case import case_or_404
from patients.cases.models import Case
from patients.maps.configuration import PACE_SECONDS

HOURS = ("day", "begins", "ends")


def _may_book_outside(request: HttpRequest) -> bool:
    return not MAY_BOOK_OUTSIDE.isdisjoint(decision_of(request).roles)


def _chosen_span(form: HoursForm) -> Span | None:
    """Return the time in the form (its initial values if it is unbound), or None if that is not valid."""
    if not form.is_bound:
        form = HoursForm({name: form.get_initial_for_field(form.fields[name], name) for name in HOURS})
    form.is_valid()
    data = form.cleaned_data
    if {"begins_at", "ends_at"} <= data.keys() and data["ends_at"] > data["begins_at"]:
        return Span(data["begins_at"], data["ends_at"])
    return None


def _usable_resources(form: BookingForm) -> list[Resource]:
    """Return the resources that can be selected."""
    fields = (form.fields[name] for name in ("room", "doctor", "technicians"))
    return [row for field in fields for row in field.queryset.select_related("user")]  # type: ignore[attr-defined]


def _picked_resources(usable: Sequence[Resource], data: QueryDict) -> list[Resource]:
    """Return the resources of `usable` that are selected so far."""
    ids = {*data.getlist("technicians"), data.get("doctor"), data.get("room")}
    return [row for row in usable if str(row.pk) in ids]


def _blocks(form: HoursForm, resources: Sequence[Resource], viewer: User, day: str) -> list[Block]:
    """Return what is taken of `resources` on `day`: a block for its day and one for its night.

    Return only one of them if the chosen time lies within it.
    """
    blocks = resource_blocks(day_or_today(day), resources, viewer, _chosen_span(form))
    chosen = [block for block in blocks if block.chosen]
    return chosen if len(chosen) == 1 else blocks


def _render_taken(request: HttpRequest, context: dict[str, Any], day: str) -> HttpResponse:
    """Render for htmx what is taken on `day`, and announce it to screen readers."""
    words = {"day": date_format(day_or_today(day), "MONTH_DAY_FORMAT")}
    announce(request, _("What is taken on %(day)s is shown.") % words)
    return render(request, "erasure/procedures/_taken.html", {**context, "fragment": True})


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def book(request: HttpRequest, case: UUID) -> HttpResponse:
    """Show the booking form (GET, also with a draft in the query), and book the procedure (POST).

    A refusal names every clash (409).
    """
    row = case_or_404(case)
    today = timezone.localdate()
    draft = request.POST if request.method == "POST" else request.GET
    initial = {"day": today, "begins": "20:00", "ends": "06:00"}
    form = BookingForm(draft if draft or request.method == "POST" else None, case=row, initial=initial)
    valid = form.is_valid()
    if request.method == "POST" and valid and _try_booking(request, row, form):
        messages.success(request, _("The night is booked."))
        return redirect("patients:case", case=row.pk)
    times = _times(row, form, draft, request_user(request))
    if wants_fragment(request) and request.method != "POST":
        return _render_taken(request, times, draft.get("day", ""))
    if request.method != "POST" and draft:  # a draft is shown without errors until it is posted
        form = BookingForm(None, case=row, initial=initial | _draft_values(draft))
    context = _context(row, form) | times
    return render(request, "erasure/procedures/book.html", context, status=_status(form))


def _times(case: Case, form: BookingForm, draft: QueryDict, viewer: User) -> dict[str, Any]:
    """Return for the page what is taken on the day in the form, and the next free times."""
    usable = _usable_resources(form)
    picked = _picked_resources(usable, draft)
    place = draft.get("place") or form.fields["place"].initial
    keep = {name: draft[name] for name in ("pace_seconds",) if draft.get(name)} | {"place": place}
    first = first_allowed(consent_in_force(case))
    wanted = wanted_for(place, picked, usable)
    day = draft.get("day") or timezone.localdate().isoformat()
    return {
        "case": case,
        "blocks": _blocks(form, picked or usable, viewer, day),
        "offers": offered_nights(case, wanted, _chosen_span(form), start=first, keep=keep),
        "first_allowed": first,
    }


def _draft_values(data: QueryDict) -> dict[str, Any]:
    return {key: data.getlist(key) if key == "technicians" else data[key] for key in data}


def _try_booking(request: HttpRequest, case: Case, form: BookingForm) -> bool:
    data = form.cleaned_data
    try:
        book_procedure(
            case,
            place=data["place"],
            resources=form.resources(),
            starts_at=data["begins_at"],
            ends_at=data["ends_at"],
            pace_seconds=data["pace_seconds"],
            confirm_token=data["confirmed"] if _may_book_outside(request) else "",
            by=request_user(request),
        )
    except CannotBook as refusal:
        _refuse(request, form, refusal)
        return False
    return True


def _refuse(request: HttpRequest, form: HoursForm, refusal: CannotBook) -> None:
    """Add the reasons of the refusal to the form. A user who may overrule them is asked to confirm them."""
    for sentence in refusal.sentences:
        form.add_error(None, sentence)
    if refusal.confirm_token and _may_book_outside(request):
        form.ask_to_confirm(refusal.confirm_token)
    elif refusal.confirm_token:
        form.add_error(None, _("The front desk can book it even so."))


def _status(form: HoursForm) -> int:
    """Return the response's status: 422 if a field is invalid; 409 if a valid form is refused; 200."""
    if not form.is_bound or not form.errors:
        return 200
    return 409 if form.non_field_errors() else 422


def _context(case: Case, form: BookingForm) -> dict[str, Any]:
    targets = case.memories.filter(zone="map", fate="target").count()
    pace = value_of(PACE_SECONDS)
    return {
        "case": case,
        "form": form,
        "pace": pace,
        "targets": targets,
        "lasts": format_duration(targets * pace),
    }


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def move(request: HttpRequest, procedure: UUID) -> HttpResponse:
    """Show the form and move a booked procedure; refuse it (409) if its time has changed in the meantime."""
    row = get_object_or_404(
        Procedure.objects.select_related("case__patient", "booking", "consent"), pk=procedure
    )
    initial = MoveForm.initial_of(row.booking)
    draft = request.POST if request.method == "POST" else request.GET
    form = MoveForm(draft if draft or request.method == "POST" else None, initial=initial)
    if form.is_valid() and request.method == "POST":
        data = form.cleaned_data
        try:
            move_procedure(
                row,
                starts_at=data["begins_at"],
                ends_at=data["ends_at"],
                expected_start=data["expected_start"],
                expected_end=data["expected_end"],
                confirm_token=data["confirmed"] if _may_book_outside(request) else "",
                by=request_user(request),
            )
        except CannotBook as refusal:
            if refusal.stale:
                row.booking.refresh_from_db()
                form = MoveForm.with_present_span(request.POST, row.booking)
            _refuse(request, form, refusal)
        else:
            messages.success(request, _("The night is moved."))
            return redirect("patients:case", case=row.case_id)
    resources = list(row.booking.resources.select_related("user").by_name("kind"))
    day = draft.get("day") or initial["day"].isoformat()
    blocks = _blocks(form, resources, request_user(request), day)
    times = {"case": row.case, "blocks": blocks, **_times_to_move_to(row, form, resources)}
    if wants_fragment(request) and request.method != "POST":
        return _render_taken(request, times, day)
    if request.method != "POST" and draft:
        # A draft does not say which span the page shows now.
        span = {name: initial[name] for name in ("expected_start", "expected_end")}
        form = MoveForm(None, initial=initial | _draft_values(draft) | span)
    context = {"procedure": row, "form": form, **times}
    return render(request, "erasure/procedures/move.html", context, status=_status(form))


def _times_to_move_to(row: Procedure, form: HoursForm, resources: Sequence[Resource]) -> dict[str, Any]:
    """Return for the page the next times at which the same people and things are free."""
    first = first_allowed(row.consent)
    offers: list[OfferedNight] = offered_nights(
        row.case,
        wanted_for(row.place, resources, []),
        _chosen_span(form),
        start=first,
        keep={},
        exclude=row.booking,
    )
    return {"offers": offers, "first_allowed": first}


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def cancel(request: HttpRequest, procedure: UUID) -> HttpResponse:
    """Ask why a booked procedure is cancelled (GET), and cancel it (POST).

    The page of the file posts here directly, without asking, unless the night was missed.
    """
    row = get_object_or_404(Procedure.objects.select_related("case__patient", "booking"), pk=procedure)
    missed = is_missed(row)
    form = CancelForm(request.POST if request.method == "POST" else None, required=missed)
    if request.method != "POST" or not form.is_valid():
        context = {"case": row.case, "procedure": row, "form": form, "missed": missed}
        context["seen"] = booking_mark(row.booking)
        status = 422 if form.is_bound else 200
        return render(request, "erasure/procedures/cancel.html", context, status=status)
    try:
        cancel_procedure(
            row,
            seen=request.POST.get("seen", ""),
            reason=form.cleaned_data["reason"],
            by=request_user(request),
        )
        messages.success(request, _("The night is given back. The consent stays in force."))
    except CannotBook as refusal:
        messages.error(request, str(refusal))
    return redirect("patients:case", case=row.case_id)
