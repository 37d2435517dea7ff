"""Asking for an appointment, and the front desk's inbox."""

import uuid
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.core.cache import cache
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from clinic.audit.context import client_address
from clinic.people.models import User
from clinic.people.views import person_of
from patients.requests.deciding import Decided, ask, decide
from patients.requests.forms import DecisionForm, RequestForm
from patients.requests.models import AppointmentRequest
from patients.vault.sealed import read_many

# Requests from one address within an hour; a family at one kitchen table fits, a program does not.
MOST_PER_HOUR = 12


def _too_many(request: HttpRequest) -> bool:
    address = client_address(
        request.META.get("REMOTE_ADDR", ""), request.META.get("HTTP_X_FORWARDED_FOR", "")
    )
    key = f"requests:{address}"
    cache.add(key, 0, timeout=3600)
    return cache.incr(key) > MOST_PER_HOUR


@login_not_required
@never_cache
def ask_for_appointment(request: HttpRequest) -> HttpResponse:
    """The public form; the front desk uses it for a caller too."""
    form = RequestForm(request.POST or None, initial={"ticket": uuid.uuid4()})
    if request.method == "POST" and form.is_valid():
        if _too_many(request):
            form.add_error(None, _("That were many requests at once. Please call us, or come back later."))
            return render(request, "patients/requests/request.html", {"form": form}, status=429)
        data = form.cleaned_data
        ask(
            ticket=data["ticket"],
            name=data["name"],
            email=data["email"],
            phone=data["phone"],
            message=data["message"],
            language=(get_language() or "en")[:2],
            by=request.user if isinstance(request.user, User) else None,
        )
        return redirect("patients:request-sent")
    return render(request, "patients/requests/request.html", {"form": form})


@login_not_required
@require_safe
def sent(request: HttpRequest) -> HttpResponse:
    """Thank you."""
    return render(request, "patients/requests/sent.html")


@require_safe
def inbox(request: HttpRequest) -> HttpResponse:
    """Requests that wait, oldest first, and the last that were decided."""
    waiting = list(AppointmentRequest.objects.filter(state__in=["new", "held"]).order_by("created_at"))
    decided = AppointmentRequest.objects.exclude(state__in=["new", "held"]).order_by("-decided_at")[:20]
    papers = read_many(waiting)
    rows = [(row, papers.get(row.pk)) for row in waiting]
    context = {"rows": rows, "decided": decided, "form": DecisionForm()}
    return render(request, "patients/requests/inbox.html", context)


@require_POST
def decide_request(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Take the front desk's answer; through htmx only its row is drawn anew."""
    row = get_object_or_404(AppointmentRequest, pk=pk)
    form = DecisionForm(request.POST)
    note = ""
    if not form.is_valid():
        note = _("Please choose accept, hold or decline.")
    else:
        try:
            row = decide(
                row,
                form.cleaned_data["decision"],
                reason=form.cleaned_data["reason"],
                by=person_of(request),
                base=request.build_absolute_uri("/"),
            )
        except Decided as decided:
            note = str(decided)
    if request.htmx:  # type: ignore[attr-defined]
        context = {"request_row": row, "paper": row.read(), "note": note}
        return render(request, "patients/requests/row.html", context)
    if note:
        messages.error(request, note)
    return redirect("patients:requests")
