"""The patient's side of the waitlist: answering an offer, and asking for an earlier time."""

from collections.abc import Callable
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from clinic.calendar.models import PLACES
from clinic.http.requests import request_user
from patients.appointments.models import Appointment
from patients.cases.current_case import current_case_or_404
from patients.waitlist.entries import (
    CannotWait,
    ask_for_earlier,
    ask_for_earlier_night,
    take_off,
    waiting_entries_of,
)
from patients.waitlist.models import WaitlistEntry, WaitlistOffer
from patients.waitlist.offers import ENTRY_RELATIONS, OfferOver, accept, decline
from patients.waitlist.waitables import entry_words, held_time_of

Kind, Ended = WaitlistEntry.Kind, WaitlistEntry.Ended


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def offer(request: HttpRequest, waitlist_offer: UUID) -> HttpResponse:
    """Show the time that is offered, or what became of it; a POST accepts or declines it."""
    relations = (f"entry__{name}" for name in ENTRY_RELATIONS)
    rows = WaitlistOffer.objects.select_related("booking", *relations)
    row = get_object_or_404(rows, pk=waitlist_offer)
    if request.method == "POST":
        return _answer(request, row)
    people = [one.label for one in held_time_of(row.booking).resources if one.kind not in PLACES]
    context = {
        "offer": row,
        "what": entry_words(row.entry, for_patient=True),
        "people": ", ".join(people),
        "over": row.is_open and row.expires_at <= timezone.now(),
        "waiting": row.entry.ended_at is None,
        "later_appointment": _later_appointment(row.entry),
    }
    return render(request, "patients/waitlist/offer.html", context)


def _later_appointment(entry: WaitlistEntry) -> Appointment | None:
    """Return the appointment that accepting would move to the offered time; None if there is none."""
    row = entry.appointment
    return row if row and row.status == Appointment.Status.BOOKED else None


def _answer(request: HttpRequest, row: WaitlistOffer) -> HttpResponse:
    try:
        if request.POST.get("do") == "accept":
            accept(row, by=request_user(request))
            messages.success(request, _("The time is yours. It is booked."))
        elif request.POST.get("do") == "decline":
            decline(row, by=request_user(request))
            messages.success(request, _("Thank you for telling us. You stay on the waitlist."))
        else:
            messages.error(request, _("Please accept or decline."))
            return redirect("patients:waitlist-offer", waitlist_offer=row.pk)
    except OfferOver as refusal:
        messages.error(request, str(refusal))
        return redirect("patients:waitlist-offer", waitlist_offer=row.pk)
    return redirect("patients:portal")


def _ask_or_take_back(
    request: HttpRequest, asked: list[WaitlistEntry], ask: Callable[[], object]
) -> HttpResponse:
    """Put the patient on the list, or take `asked` off it, as the button says; then show their page.

    ask: puts them on the list. May raise CannotWait.
    """
    try:
        if request.POST.get("do") == "take-back":
            for entry in asked:
                take_off(entry, because=Ended.TAKEN_BACK, by=request_user(request))
            messages.success(request, _("We do not look for an earlier time any more."))
        elif request.POST.get("do") == "ask":
            ask()
            messages.success(request, _("We tell you by mail when an earlier time becomes free."))
        else:
            messages.error(request, _("There is no such answer."))
    except CannotWait as refusal:
        messages.error(request, str(refusal))
    return redirect("patients:portal")


@require_POST
@never_cache
def earlier(request: HttpRequest, appointment: UUID) -> HttpResponse:
    """Ask to be told of an earlier time for an appointment, or take that back."""
    row = get_object_or_404(Appointment, pk=appointment)
    asked = [one for one in waiting_entries_of(row.case_id, Kind.EARLIER) if one.appointment_id == row.pk]
    return _ask_or_take_back(request, asked, lambda: ask_for_earlier(row, by=request_user(request)))


@require_POST
@never_cache
def earlier_night(request: HttpRequest) -> HttpResponse:
    """Ask to be told of an earlier night, or take that back."""
    case = current_case_or_404(request)
    asked = waiting_entries_of(case, Kind.EARLIER_NIGHT)
    return _ask_or_take_back(request, asked, lambda: ask_for_earlier_night(case, by=request_user(request)))
