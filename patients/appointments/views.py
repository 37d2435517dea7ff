"""The pages on which the desk holds, books, moves and cancels appointments, and enters their states."""

from collections.abc import Collection, Sequence
from datetime import date, datetime, time
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from clinic.accounts.models import Role
from clinic.availability.offers import Offer
from clinic.calendar.board import FIRST_DAY, LAST_DAY, at_clock
from clinic.calendar.models import Resource
from clinic.calendar.moving import MAY_BOOK_OUTSIDE
from clinic.http.requests import decision_of, request_user
from patients.appointments.booking import (
    CannotBook,
    appointment_mark,
    book_appointment,
    can_have_appointment,
    cancel_appointment,
    give_up_hold,
    hold_appointment,
    move_appointment,
)
from patients.appointments.desk_tasks import AlreadyAnswered, close_task
from patients.appointments.forms import ConfirmedForm, MoveForm, ReasonForm, TimeForm
from patients.appointments.models import Appointment, AppointmentTemplate, DeskTask
from patients.appointments.offers import due_day, first_allowed, needed, offered_times, usable_resources
from patients.appointments.on_pages import display_of, with_resources
from patients.appointments.states import CHANGES
from patients.cases.current_case import case_or_404
from patients.cases.models import Case

# The roles that may confirm more moves than the clinic's limit.
MAY_EXCEED = {Role.DOCTOR, Role.ADMINISTRATOR}


def _has_role(request: HttpRequest, roles: Collection[Role]) -> bool:
    return not decision_of(request).roles.isdisjoint(roles)


def _refuse(request: HttpRequest, form: ConfirmedForm, refusal: CannotBook) -> None:
    """Add the reasons of the refusal to the form. A user who may overrule them is asked to confirm them."""
    for sentence in refusal.sentences:
        form.add_error(None, sentence)
    if refusal.confirm_token:
        if _has_role(request, MAY_BOOK_OUTSIDE):
            form.confirm_token = refusal.confirm_token
        else:
            form.add_error(None, _("The front desk can book it even so."))
    if refusal.confirm_limit_token:
        if _has_role(request, MAY_EXCEED):
            form.confirm_limit_token = refusal.confirm_limit_token
        else:
            form.add_error(None, _("A doctor or an administrator can move it even so."))


def _status(form: ConfirmedForm) -> int:
    """Return the response's status: 422 if a field is invalid; 409 if the valid form was refused; else 200.

    Only `_refuse` adds errors that belong to no field.
    """
    if not form.is_bound or not form.errors:
        return 200
    return 409 if form.non_field_errors() else 422


def _offer_fields(offer: Offer) -> list[tuple[str, str]]:
    """Return what the button of an offer sends, as names and values."""
    start = timezone.localtime(offer.starts_at)
    fields = [("day", start.date().isoformat()), ("begins", f"{start:%H:%M}")]
    return fields + [(name, str(one.pk)) for name, chosen in offer.team.items() for one in chosen]


def _names(resources: Sequence[Resource]) -> str:
    return ", ".join(one.label for one in resources)


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def new(request: HttpRequest, case: UUID) -> HttpResponse:
    """Show the templates, then the times that are offered and a form for another one. A POST holds a time."""
    row = case_or_404(case)
    templates = [one for one in AppointmentTemplate.objects.usable() if can_have_appointment(row, one.kind)]
    template_id = request.POST.get("template") or request.GET.get("template", "")
    template = next((one for one in templates if str(one.pk) == template_id), None)
    if template is None:
        context = {"case": row, "templates": templates, "template_missing": bool(template_id)}
        return render(request, "patients/appointments/new.html", context, status=409 if template_id else 200)
    usable = usable_resources(row, template)
    form = TimeForm(request.POST if request.method == "POST" else None, values=template, usable=usable)
    if form.is_bound and form.is_valid():
        try:
            held = hold_appointment(
                row,
                template,
                resources=form.resources(),
                starts_at=form.cleaned_data["starts_at"],
                confirm_token=form.cleaned_data["confirmed"] if _has_role(request, MAY_BOOK_OUTSIDE) else "",
                by=request_user(request),
            )
        except CannotBook as refusal:
            _refuse(request, form, refusal)
        else:
            return redirect("patients:appointment-book", appointment=held.pk)
    context = {
        "case": row,
        "templates": templates,
        "template": template,
        "form": form,
        **_offers(request, row, template, usable),
    }
    return render(request, "patients/appointments/new.html", context, status=_status(form))


def _offers(
    request: HttpRequest, case: Case, template: AppointmentTemplate, usable: Sequence[Resource]
) -> dict[str, Any]:
    """Return for the page the next free times from the day asked for, and what there is too little of."""
    first = first_allowed(case, template)
    start = first
    if asked := request.GET.get("from", ""):
        day = asked_day(asked)
        start = max(first, day) if day else first
    offers = offered_times(case, template, usable, start=start)
    missing = [
        str(Resource.Kind(kind).label)
        for kind, count in needed(template).values()
        if sum(one.kind == kind for one in usable) < count
    ]
    return {
        "offers": [(offer, _names(offer.resources), _offer_fields(offer)) for offer in offers],
        "first_allowed": first,
        "due": due_day(case, template),
        "start": start,
        "missing": ", ".join(missing),
    }


def asked_day(text: str) -> datetime | None:
    """Return the beginning of the day in `text`, or None if it is no date that can be booked."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return at_clock(day, time(0)) if FIRST_DAY <= day <= LAST_DAY else None


def _appointment_or_404(appointment: UUID) -> Appointment:
    return get_object_or_404(with_resources(Appointment.objects.all()), pk=appointment)


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def book(request: HttpRequest, appointment: UUID) -> HttpResponse:
    """Show a held appointment; a POST books it or gives it up. If the time is lost, offer new times."""
    row, by = _appointment_or_404(appointment), request_user(request)
    if request.method == "POST":
        try:
            if request.POST.get("do") == "give-up":
                give_up_hold(row, by=by)
                messages.success(request, _("The time is free again."))
                return _back_to_offers(row)
            book_appointment(row, by=by)
        except CannotBook as refusal:
            messages.error(request, str(refusal))
            return _back_to_offers(row) if refusal.lost else redirect("patients:case", case=row.case_id)
        messages.success(request, _("The appointment is booked."))
        return redirect("patients:case", case=row.case_id)
    if row.status != Appointment.Status.HELD:
        return redirect("patients:case", case=row.case_id)
    if row.booking.canceled_at is not None:
        messages.error(request, _("This time is not held any more. Please choose another one."))
        return _back_to_offers(row)
    held_until = row.booking.held_until
    context = {
        "case": row.case,
        "display": display_of(row, timezone.now()),
        "expired": held_until is not None and held_until <= timezone.now(),
    }
    return render(request, "patients/appointments/book.html", context)


def _back_to_offers(row: Appointment) -> HttpResponse:
    query = urlencode({"template": str(row.template_id)})
    return redirect(f"{reverse('patients:appointment-new', args=[row.case_id])}?{query}")


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def move(request: HttpRequest, appointment: UUID) -> HttpResponse:
    """Show the form and move an appointment; refuse it (409) if its time has changed in the meantime."""
    row = _appointment_or_404(appointment)
    initial = MoveForm.initial_of(row.booking)
    posted = request.method == "POST"
    form = MoveForm(request.POST if posted else None, initial=initial | _times_from_link(request))
    if posted and form.is_valid():
        data = form.cleaned_data
        try:
            move_appointment(
                row,
                starts_at=data["begins_at"],
                ends_at=data["ends_at"],
                expected_start=data["expected_start"],
                expected_end=data["expected_end"],
                confirm_token=data["confirmed"] if _has_role(request, MAY_BOOK_OUTSIDE) else "",
                confirm_limit_token=data["confirmed_limit"] if _has_role(request, MAY_EXCEED) else "",
                reason=data["reason"],
                words=data["words"],
                by=request_user(request),
            )
        except CannotBook as refusal:
            row = _appointment_or_404(appointment)
            if refusal.stale:
                form = MoveForm.with_present_span(request.POST, row.booking)
            _refuse(request, form, refusal)
        else:
            messages.success(request, _("The appointment is moved, and everybody concerned is told."))
            return _redirect_after_move(request, row.case_id)
    context = {
        "case": row.case,
        "display": display_of(row, timezone.now()),
        "form": form,
        "offers": _times_to_move_to(row),
        "may_open_file": _may_open_file(request),
    }
    return render(request, "patients/appointments/move.html", context, status=_status(form))


def _times_from_link(request: HttpRequest) -> dict[str, Any]:
    """Return the values that the link of an offered time carries."""
    return {name: request.GET[name] for name in ("day", "begins", "ends") if name in request.GET}


def _times_to_move_to(row: Appointment) -> list[tuple[Offer, str]]:
    """Return the next times at which the same people and room are free, each with the query of its link."""
    resources = list(row.booking.resources.all())
    duration = row.booking.ends_at - row.booking.starts_at
    start = timezone.now()
    offers = offered_times(row.case, row, resources, start=start, duration=duration, exclude=row.booking)
    return [(offer, _move_query(offer)) for offer in offers]


def _move_query(offer: Offer) -> str:
    start, end = timezone.localtime(offer.starts_at), timezone.localtime(offer.ends_at)
    return urlencode({"day": start.date().isoformat(), "begins": f"{start:%H:%M}", "ends": f"{end:%H:%M}"})


def _may_open_file(request: HttpRequest) -> bool:
    """Return whether this person may also open the file. An administrator may move, but not open it."""
    return decision_of(request).names


def _redirect_after_move(request: HttpRequest, case: UUID) -> HttpResponse:
    return redirect("patients:case", case=case) if _may_open_file(request) else redirect("today")


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def cancel(request: HttpRequest, appointment: UUID) -> HttpResponse:
    """Ask why (GET), and cancel an appointment (POST); 409 if it is not as the page showed it."""
    row = _appointment_or_404(appointment)
    form = ReasonForm(request.POST if request.method == "POST" else None)
    status = 200
    if form.is_bound:
        status = 422
        if form.is_valid():
            try:
                cancel_appointment(
                    row, **form.cleaned_data, seen=request.POST.get("seen", ""), by=request_user(request)
                )
            except CannotBook as refusal:
                row, status = _appointment_or_404(appointment), 409
                form.add_error(None, str(refusal))
            else:
                messages.success(request, _("The appointment is canceled, and everybody concerned is told."))
                return redirect("patients:case", case=row.case_id)
    context = {"case": row.case, "display": display_of(row, timezone.now()), "form": form}
    context |= {"seen": appointment_mark(row), "open": row.status == Appointment.Status.BOOKED}
    return render(request, "patients/appointments/cancel.html", context, status=status)


@require_POST
@never_cache
def change_state(request: HttpRequest, appointment: UUID) -> HttpResponse:
    """Set the state that the button names, or take the last one back; return to the page of the button."""
    row = get_object_or_404(Appointment.objects.with_booking(), pk=appointment)
    change = CHANGES.get(request.POST.get("do", ""))
    if change is None:
        messages.error(request, _("There is no such state."))
    else:
        try:
            change(row, seen=request.POST.get("seen", ""), by=request_user(request))
            row.refresh_from_db(fields=["status"])
            messages.success(request, _("Entered: %(status)s.") % {"status": row.get_status_display()})
        except CannotBook as refusal:
            messages.error(request, str(refusal))
    if request.POST.get("back") == "board":
        day = timezone.localdate(row.booking.starts_at)
        query = "" if day == timezone.localdate() else f"?day={day.isoformat()}"
        return redirect(f"{reverse('today')}{query}")
    return redirect("patients:case", case=row.case_id)


@require_POST
@never_cache
def close_desk_task(request: HttpRequest, desk_task: UUID) -> HttpResponse:
    """Record that nothing more is needed for a task of the desk."""
    row = get_object_or_404(DeskTask, pk=desk_task)
    try:
        close_task(row, by=request_user(request))
        messages.success(request, _("Closed."))
    except AlreadyAnswered as refusal:
        messages.error(request, str(refusal))
    return redirect("patients:case", case=row.case_id)
