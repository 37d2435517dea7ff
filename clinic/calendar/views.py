"""The day board and its wall."""

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
    """A day and its night, what is in progress, and what is missing. A date that is none shows today."""
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
    """Tonight for a screen that anyone may pass by: initials, states and maps."""
    context = {"board": board_of(timezone.localdate(), request_user(request), wall=True)}
    template = "clinic/calendar/_wall.html" if wants_fragment(request) else "clinic/calendar/wall.html"
    return render(request, template, context)
