"""The day board and its wall."""

from datetime import timedelta
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from clinic.calendar.board import asked_day, board_of
from clinic.people.models import User


def _viewer(request: HttpRequest) -> User:
    if not isinstance(request.user, User):
        raise TypeError("nobody is signed in")
    return request.user


def _asks_fragment(request: HttpRequest) -> bool:
    htmx: Any = getattr(request, "htmx", None)
    return bool(htmx) and not htmx.boosted and not htmx.history_restore_request


@require_safe
@never_cache
def today(request: HttpRequest) -> HttpResponse:
    """A day and its night, what is in progress, and what is missing. A date that is none shows today."""
    asked = request.GET.get("day", "")
    day = asked_day(asked)
    step = timedelta(days=1)
    context = {
        "board": board_of(day, _viewer(request)),
        "asked": day if asked else None,
        "before": day - step,
        "after": day + step,
    }
    template = "clinic/calendar/_board.html" if _asks_fragment(request) else "clinic/calendar/today.html"
    return render(request, template, context)


@require_safe
@never_cache
def wall(request: HttpRequest) -> HttpResponse:
    """Tonight for a screen that anyone may pass by: initials, states and maps."""
    context = {"board": board_of(timezone.localdate(), _viewer(request), wall=True)}
    template = "clinic/calendar/_wall.html" if _asks_fragment(request) else "clinic/calendar/wall.html"
    return render(request, template, context)
