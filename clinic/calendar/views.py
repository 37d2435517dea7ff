"""The day board, and the wall: its version for a public screen."""

from datetime import timedelta

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from clinic.calendar.board import asked_day, board_of
from clinic.http.requests import request_user, wants_fragment


@require_safe
@never_cache
def today(request: HttpRequest) -> HttpResponse:
    """Show the board of the day in `?day=`; without a valid date, that of today."""
    asked = request.GET.get("day", "")
    day = asked_day(asked)
    step = timedelta(days=1)
    context = {
        "board": board_of(day, request_user(request)),
        "asked": day if asked else None,
        "before": day - step,
        "after": day + step,
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
