"""Booking, starting and canceling a procedure."""

from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from clinic.people.models import User
from erasure.procedures.booking import CannotBook, book_procedure, cancel_procedure
from erasure.procedures.forms import BookingForm
from erasure.procedures.models import Procedure
from erasure.runs.planning import CannotStart, obstacle, start_run
from patients.cases.models import Case


def _by(request: HttpRequest) -> User:
    if not isinstance(request.user, User):
        raise TypeError("nobody is signed in")
    return request.user


def book(request: HttpRequest, case: UUID) -> HttpResponse:
    """Show and take the form that books a night; a clash is named in the answer."""
    row = get_object_or_404(Case.objects.select_related("patient"), pk=case)
    initial = {"day": timezone.localdate(), "begins": "20:00", "ends": "06:00"}
    form = BookingForm(request.POST or None, case=row, initial=initial)
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        try:
            book_procedure(
                row,
                place=data["place"],
                resources=form.resources(),
                starts_at=data["starts_at"],
                ends_at=data["ends_at"],
                pace_seconds=data["pace_seconds"],
                by=_by(request),
            )
        except CannotBook as refusal:
            for sentence in refusal.sentences:
                form.add_error(None, sentence)
        else:
            messages.success(request, _("The night is booked."))
            return redirect("patients:case", case=row.pk)
    status = 409 if form.is_bound and form.non_field_errors() else 200
    context = {"case": row, "form": form, "pace": settings.LACUNA_PACE_SECONDS}
    return render(request, "erasure/procedures/book.html", context, status=status)


@require_POST
def cancel(request: HttpRequest, procedure: UUID) -> HttpResponse:
    """Give the night back."""
    row = get_object_or_404(Procedure, pk=procedure)
    try:
        cancel_procedure(row, by=_by(request))
        messages.success(request, _("The night is given back. The consent stays in force."))
    except CannotBook as refusal:
        messages.error(request, str(refusal))
    return redirect("patients:case", case=row.case_id)


def start(request: HttpRequest, procedure: UUID) -> HttpResponse:
    """Ask once more, then start now."""
    row = get_object_or_404(
        Procedure.objects.select_related("case__patient", "consent", "map", "booking"), pk=procedure
    )
    if request.method == "POST":
        try:
            run = start_run(row.pk, by=_by(request))
        except CannotStart as refusal:
            messages.error(request, str(refusal))
            return redirect("erasure:start", procedure=row.pk)
        return redirect("erasure:session", run=run.pk)
    targets = row.case.memories.filter(zone="map", fate="target").count()
    context = {"procedure": row, "obstacle": obstacle(row), "targets": targets}
    return render(request, "erasure/procedures/start.html", context)
