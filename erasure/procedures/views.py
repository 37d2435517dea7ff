"""Booking, moving and canceling a procedure."""

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
from clinic.calendar.durations import lasting
from clinic.calendar.models import Resource
from clinic.http.requests import request_user, wants_fragment
from erasure.procedures.booking import CannotBook, book_procedure, cancel_procedure, move_procedure
from erasure.procedures.forms import BookingForm, HoursForm, MoveForm
from erasure.procedures.models import Procedure
from patients.cases.current_case import case_or_404
from patients.cases.models import Case

HOURS = ("day", "begins", "ends")


def _chosen(form: HoursForm) -> Span | None:
    """The hours in a form, once they are whole; those it proposes while nobody has touched it."""
    if not form.is_bound:
        form = HoursForm({name: form.get_initial_for_field(form.fields[name], name) for name in HOURS})
    form.is_valid()
    data = form.cleaned_data
    if {"begins_at", "ends_at"} <= data.keys() and data["ends_at"] > data["begins_at"]:
        return Span(data["begins_at"], data["ends_at"])
    return None


def _picked(form: BookingForm, data: QueryDict) -> list[Resource]:
    """The resources ticked so far; all that could be ticked while there are none."""
    ids = {*data.getlist("technicians"), data.get("doctor"), data.get("room")}
    fields = (form.fields[name] for name in ("room", "doctor", "technicians"))
    usable = [row for field in fields for row in field.queryset.select_related("user")]  # type: ignore[attr-defined]
    return [row for row in usable if str(row.pk) in ids] or usable


def _blocks(form: HoursForm, resources: Sequence[Resource], viewer: User, day: str) -> list[Block]:
    """Day and night of `day` for `resources`, or the one of them in which all the chosen hours lie."""
    blocks = taken(asked_day(day), resources, viewer, _chosen(form))
    within = [block for block in blocks if block.chosen]
    return within if len(within) == 1 else blocks


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def book(request: HttpRequest, case: UUID) -> HttpResponse:
    """Show and take the form that books a night; a clash is named in the answer. GET may carry a draft."""
    row = case_or_404(case)
    today = timezone.localdate()
    draft = request.POST if request.method == "POST" else request.GET
    initial = {"day": today, "begins": "20:00", "ends": "06:00"}
    form = BookingForm(draft if draft or request.method == "POST" else None, case=row, initial=initial)
    valid = form.is_valid()
    if request.method == "POST" and valid and _books(request, row, form):
        messages.success(request, _("The night is booked."))
        return redirect("patients:case", case=row.pk)
    blocks = _blocks(form, _picked(form, draft), request_user(request), draft.get("day") or today.isoformat())
    if wants_fragment(request) and request.method != "POST":
        return render(request, "erasure/procedures/_taken.html", {"blocks": blocks})
    if request.method != "POST" and draft:  # a draft is shown as it is, and scolded only when it is sent
        form = BookingForm(None, case=row, initial=initial | _draft(draft))
    return render(request, "erasure/procedures/book.html", _booking(row, form, blocks), status=_status(form))


def _draft(data: QueryDict) -> dict[str, Any]:
    return {key: data.getlist(key) if key == "technicians" else data[key] for key in data}


def _books(request: HttpRequest, case: Case, form: BookingForm) -> bool:
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
    """409 where the house cannot do what was asked for, 422 where it was not asked for rightly."""
    if not form.is_bound or not form.errors:
        return 200
    return 409 if form.non_field_errors() else 422


def _booking(case: Case, form: BookingForm, blocks: list[Block]) -> dict[str, Any]:
    targets = case.memories.filter(zone="map", fate="target").count()
    pace = settings.LACUNA_PACE_SECONDS
    return {
        "case": case,
        "form": form,
        "pace": pace,
        "blocks": blocks,
        "targets": targets,
        "lasts": lasting(targets * pace),
    }


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def move(request: HttpRequest, procedure: UUID) -> HttpResponse:
    """Give a booked night other hours. A move from hours that are not its hours any more is refused (409)."""
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
    held = list(row.booking.resources.select_related("user").order_by("kind", "label"))
    blocks = _blocks(form, held, request_user(request), draft.get("day") or initial["day"].isoformat())
    if wants_fragment(request) and request.method != "POST":
        return render(request, "erasure/procedures/_taken.html", {"blocks": blocks})
    if request.method != "POST" and draft:
        form = MoveForm(None, initial=initial | _draft(draft) | {"expected_start": initial["expected_start"]})
    context = {"procedure": row, "case": row.case, "form": form, "blocks": blocks}
    return render(request, "erasure/procedures/move.html", context, status=_status(form))


@require_POST
def cancel(request: HttpRequest, procedure: UUID) -> HttpResponse:
    """Give the night back."""
    row = get_object_or_404(Procedure, pk=procedure)
    try:
        cancel_procedure(row, by=request_user(request))
        messages.success(request, _("The night is given back. The consent stays in force."))
    except CannotBook as refusal:
        messages.error(request, str(refusal))
    return redirect("patients:case", case=row.case_id)
