"""Views that book, move and cancel a procedure."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from clinic.accounts.models import User
from clinic.calendar.board import Block, Span, asked_day, taken
from clinic.calendar.durations import format_duration
from clinic.calendar.models import Resource
from clinic.http.requests import request_user, wants_fragment
from erasure.procedures.booking import CannotBook, book_procedure, cancel_procedure, move_procedure
from erasure.procedures.forms import BookingForm, HoursForm, MoveForm
from erasure.procedures.models import Procedure
from patients.cases.current_case import case_or_404
from patients.cases.models import Case

HOURS = ("day", "begins", "ends")


def _chosen_span(form: HoursForm) -> Span | None:
    """Return the time in the form (its initial values if it is unbound), or None if that is not valid."""
    if not form.is_bound:
        form = HoursForm({name: form.get_initial_for_field(form.fields[name], name) for name in HOURS})
    form.is_valid()
    data = form.cleaned_data
    if {"begins_at", "ends_at"} <= data.keys() and data["ends_at"] > data["begins_at"]:
        return Span(data["begins_at"], data["ends_at"])
    return None


def _picked_resources(form: BookingForm, data: QueryDict) -> list[Resource]:
    """Return the resources selected so far; all selectable ones if none is selected."""
    ids = {*data.getlist("technicians"), data.get("doctor"), data.get("room")}
    fields = (form.fields[name] for name in ("room", "doctor", "technicians"))
    usable = [row for field in fields for row in field.queryset.select_related("user")]  # type: ignore[attr-defined]
    return [row for row in usable if str(row.pk) in ids] or usable


def _blocks(form: HoursForm, resources: Sequence[Resource], viewer: User, day: str) -> list[Block]:
    """Return day and night of `day` for `resources`; only one of them if the chosen time lies within it."""
    blocks = taken(asked_day(day), resources, viewer, _chosen_span(form))
    touched = [block for block in blocks if block.chosen]
    return touched if len(touched) == 1 else blocks


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def book(request: HttpRequest, case: UUID) -> HttpResponse:
    """Show the booking form and book the procedure; the response names every clash. GET may carry a draft."""
    row = case_or_404(case)
    today = timezone.localdate()
    draft = request.POST if request.method == "POST" else request.GET
    initial = {"day": today, "begins": "20:00", "ends": "06:00"}
    form = BookingForm(draft if draft or request.method == "POST" else None, case=row, initial=initial)
    valid = form.is_valid()
    if request.method == "POST" and valid and _try_booking(request, row, form):
        messages.success(request, _("The night is booked."))
        return redirect("patients:case", case=row.pk)
    blocks = _blocks(
        form, _picked_resources(form, draft), request_user(request), draft.get("day") or today.isoformat()
    )
    if wants_fragment(request) and request.method != "POST":
        return render(request, "erasure/procedures/_taken.html", {"blocks": blocks})
    if request.method != "POST" and draft:  # a draft is shown without errors until it is posted
        form = BookingForm(None, case=row, initial=initial | _draft_values(draft))
    return render(request, "erasure/procedures/book.html", _context(row, form, blocks), status=_status(form))


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
            by=request_user(request),
        )
    except CannotBook as refusal:
        for sentence in refusal.sentences:
            form.add_error(None, sentence)
        return False
    return True


def _status(form: HoursForm) -> int:
    """Return the response's status: 422 if a field is invalid, 409 if the booking is refused, else 200."""
    if not form.is_bound or not form.errors:
        return 200
    return 409 if form.non_field_errors() else 422


def _context(case: Case, form: BookingForm, blocks: list[Block]) -> dict[str, Any]:
    targets = case.memories.filter(zone="map", fate="target").count()
    pace = settings.LACUNA_PACE_SECONDS
    return {
        "case": case,
        "form": form,
        "pace": pace,
        "blocks": blocks,
        "targets": targets,
        "lasts": format_duration(targets * pace),
    }


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def move(request: HttpRequest, procedure: UUID) -> HttpResponse:
    """Show the form and move a booked procedure; refuse it (409) if its time has changed in the meantime."""
    row = get_object_or_404(Procedure.objects.select_related("case__patient", "booking"), pk=procedure)
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
                by=request_user(request),
            )
        except CannotBook as refusal:
            for sentence in refusal.sentences:
                form.add_error(None, sentence)
            if refusal.stale:
                row.booking.refresh_from_db()
        else:
            messages.success(request, _("The night is moved."))
            return redirect("patients:case", case=row.case_id)
    resources = list(row.booking.resources.select_related("user").order_by("kind", "label"))
    blocks = _blocks(form, resources, request_user(request), draft.get("day") or initial["day"].isoformat())
    if wants_fragment(request) and request.method != "POST":
        return render(request, "erasure/procedures/_taken.html", {"blocks": blocks})
    if request.method != "POST" and draft:
        form = MoveForm(
            None, initial=initial | _draft_values(draft) | {"expected_start": initial["expected_start"]}
        )
    context = {"procedure": row, "case": row.case, "form": form, "blocks": blocks}
    return render(request, "erasure/procedures/move.html", context, status=_status(form))


@require_POST
def cancel(request: HttpRequest, procedure: UUID) -> HttpResponse:
    """Cancel a booked procedure."""
    row = get_object_or_404(Procedure, pk=procedure)
    try:
        cancel_procedure(row, by=request_user(request))
        messages.success(request, _("The night is given back. The consent stays in force."))
    except CannotBook as refusal:
        messages.error(request, str(refusal))
    return redirect("patients:case", case=row.case_id)
