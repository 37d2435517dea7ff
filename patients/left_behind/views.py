"""The patient's page of the left-behind list. It needs no open case."""

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from clinic.http.requests import request_user
from patients.cases.current_case import current_case
from patients.left_behind.places import GROUPS, PLACES
from patients.left_behind.ticks import tick, ticks_of, untick


@require_safe
@never_cache
def left_behind(request: HttpRequest) -> HttpResponse:
    """Show every place, with its guide, and which of them the patient has ticked off."""
    ticks = ticks_of(request_user(request))
    groups = [(group.title, [(place, ticks.get(place.id)) for place in group.places]) for group in GROUPS]
    context = {
        "groups": groups,
        "done": len(ticks),
        "total": len(PLACES),
        "has_open_case": current_case(request) is not None,
    }
    return render(request, "patients/left_behind/left_behind.html", context)


@require_POST
@never_cache
def left_behind_tick(request: HttpRequest, place: str) -> HttpResponse:
    """Tick a place off, and redirect to it on the page. Errors: Http404 if the list has no such place."""
    _check_place(place)
    tick(request_user(request), place)
    return _redirect_to(place)


@require_POST
@never_cache
def left_behind_untick(request: HttpRequest, place: str) -> HttpResponse:
    """Remove a tick, and redirect to its place on the page. Errors: Http404 if the list has no such place."""
    _check_place(place)
    untick(request_user(request), place)
    return _redirect_to(place)


def _check_place(place: str) -> None:
    if place not in PLACES:
        raise Http404


def _redirect_to(place: str) -> HttpResponse:
    return redirect(f"{reverse('patients:left-behind')}#{place}")
