"""The pages on which patients book, move and cancel their own appointments."""

from datetime import datetime
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from clinic.calendar.board import FIRST_DAY, LAST_DAY
from clinic.http.requests import request_user
from patients.appointments.booking import CannotBook, appointment_mark
from patients.appointments.models import Appointment
from patients.appointments.on_pages import with_resources
from patients.appointments.own import (
    book_own,
    cancel_own,
    check_own,
    move_own,
    own_case,
    own_templates,
    times_to_book,
    times_to_move_to,
)
from patients.appointments.views import asked_day
from patients.cases.no_open_case import NoOpenCase


def _chosen_time(request: HttpRequest) -> datetime:
    """Return the time of the button that was pressed. Errors: CannotBook."""
    try:
        moment = parse_datetime(request.POST.get("starts", ""))
    except ValueError:
        moment = None
    if moment is None or timezone.is_naive(moment) or not FIRST_DAY <= moment.date() <= LAST_DAY:
        raise CannotBook(_("Please choose a time."))
    return moment


def _own_or_404(appointment: UUID) -> Appointment:
    return get_object_or_404(with_resources(Appointment.objects.made()), pk=appointment)


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def new(request: HttpRequest) -> HttpResponse:
    """Show what the patient can book and the next free times; a POST books one."""
    case = own_case(request_user(request))
    if case is None:
        raise NoOpenCase
    templates = own_templates(case)
    wanted = request.POST.get("template") or request.GET.get("template", "")
    chosen = [one for one in templates if str(one.pk) == wanted] or (templates if len(templates) == 1 else [])
    template, problem = (chosen[0] if chosen else None), ""
    if request.method == "POST":
        try:
            if template is None:
                raise CannotBook(_("This cannot be booked here any more. Please call us."))
            book_own(case, template, _chosen_time(request), by=request_user(request))
            messages.success(request, _("It is booked. You can add it to your calendar."))
            return redirect("patients:portal")
        except CannotBook as refusal:
            problem = str(refusal)
    start = asked_day(request.GET.get("from", ""))
    context = {
        "templates": templates,
        "template": template,
        "offers": times_to_book(case, template, start) if template else [],
        "start": start,
        "problem": problem,
    }
    return render(request, "patients/appointments/own_new.html", context, status=409 if problem else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def move(request: HttpRequest, appointment: UUID) -> HttpResponse:
    """Show the times to which an appointment can be moved; a POST moves it."""
    row, problem = _own_or_404(appointment), ""
    if request.method == "POST":
        try:
            seen = request.POST.get("seen", "")
            move_own(row, _chosen_time(request), seen=seen, by=request_user(request))
            messages.success(
                request, _("It is moved. Your calendar learns of it from the file on your page.")
            )
            return redirect("patients:portal")
        except CannotBook as refusal:
            row, problem = _own_or_404(appointment), str(refusal)
    return _page(request, row, "patients/appointments/own_move.html", problem, with_times=True)


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def cancel(request: HttpRequest, appointment: UUID) -> HttpResponse:
    """Ask whether to cancel an appointment; a POST cancels it."""
    row, problem = _own_or_404(appointment), ""
    if request.method == "POST":
        try:
            cancel_own(row, seen=request.POST.get("seen", ""), by=request_user(request))
            messages.success(request, _("It is canceled. You can book another time whenever you like."))
            return redirect("patients:portal")
        except CannotBook as refusal:
            row, problem = _own_or_404(appointment), str(refusal)
    return _page(request, row, "patients/appointments/own_cancel.html", problem)


def _page(
    request: HttpRequest, row: Appointment, template: str, problem: str, *, with_times: bool = False
) -> HttpResponse:
    start, obstacle = asked_day(request.GET.get("from", "")), ""
    try:
        check_own(row)
    except CannotBook as refusal:
        obstacle = str(refusal)
    context = {
        "appointment": row,
        "seen": appointment_mark(row),
        "start": start,
        "offers": times_to_move_to(row, start) if with_times and not obstacle else [],
        "problem": problem if problem != obstacle else "",
        "obstacle": obstacle,
    }
    return render(request, template, context, status=409 if problem else 200)
