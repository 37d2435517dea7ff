"""The day board, the wall (its version for a public screen), and the page of rooms and kits."""

from datetime import timedelta

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from clinic.calendar.board import board_of, day_or_today
from clinic.calendar.durations import duration_patterns
from clinic.calendar.forms import InUseForm, PlaceForm
from clinic.calendar.places import PlaceRefused, add_place, places, set_in_use
from clinic.http.requests import request_user, wants_fragment


@require_safe
@never_cache
def today(request: HttpRequest) -> HttpResponse:
    """Show the board of the day in `?day=`; without a valid date, that of today.

    `?by=state` shows lanes by state, anything else rooms and kits on a scale of hours.
    """
    asked = request.GET.get("day", "")
    day, by_state = day_or_today(asked), request.GET.get("by") == "state"
    one_day = timedelta(days=1)
    context = {
        "board": board_of(day, request_user(request), by_state=by_state),
        "by_state": by_state,
        "durations": duration_patterns(),
        "asked": day if asked else None,
        "before": day - one_day,
        "after": day + one_day,
    }
    template = "clinic/calendar/_board.html" if wants_fragment(request) else "clinic/calendar/today.html"
    return render(request, template, context)


@require_safe
@never_cache
def wall(request: HttpRequest) -> HttpResponse:
    """Show tonight's runs on a public screen: initials, states and maps, but no names."""
    context = {"board": board_of(timezone.localdate(), request_user(request), wall=True)}
    template = "clinic/calendar/_wall.html" if wants_fragment(request) else "clinic/calendar/wall.html"
    return render(request, template, context)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def places_page(request: HttpRequest) -> HttpResponse:
    """List rooms and kits; add one, take one out of use, or put it back."""
    do = request.POST.get("do", "")
    form = PlaceForm(request.POST if do == "add" else None)
    status = 200
    if request.method == "POST":
        try:
            if done := _change_places(request, do, form):
                messages.success(request, done)
                return redirect("places")
            status = 422
        except PlaceRefused as refusal:
            if do != "add":
                messages.error(request, str(refusal))
                return redirect("places")
            form.add_error("label", str(refusal))
            status = 409
    return render(request, "clinic/calendar/places.html", {"places": places(), "form": form}, status=status)


def _change_places(request: HttpRequest, do: str, form: PlaceForm) -> str:
    """Do what the submitted button asks for. Return the message of success, or "" if a form is invalid.

    Errors: PlaceRefused.
    """
    by = request_user(request)
    if do == "add":
        if not form.is_valid():
            return ""
        add_place(form.cleaned_data["kind"], form.cleaned_data["label"], by=by)
        return _("It can be booked now.")
    use = InUseForm(request.POST)
    if do not in {"out", "in"} or not use.is_valid():
        raise PlaceRefused(_("There is no such room or kit."))
    row = set_in_use(use.cleaned_data["place"], do == "in", reason=use.cleaned_data["reason"], by=by)
    if row.in_use:
        return _("%(place)s is in use again.") % {"place": row.label}
    return _("%(place)s is out of use. What is booked already stays booked.") % {"place": row.label}
