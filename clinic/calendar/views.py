"""The day board and its wall."""

from datetime import date, timedelta
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from clinic.calendar.board import board_of
from clinic.people.models import User

# Beyond these a clock of the clinic has no meaning, and dates next to the calendar's ends overflow.
FIRST, LAST = date(1970, 1, 2), date(2199, 12, 30)


def asked_day(text: str) -> date:
    """The day in `text` (ISO), or today's where it is none."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return timezone.localdate()
    return day if FIRST <= day <= LAST else timezone.localdate()


def _viewer(request: HttpRequest) -> User:
    if not isinstance(request.user, User):
        raise TypeError("nobody is signed in")
    return request.user


def _asks_fragment(request: HttpRequest) -> bool:
    htmx: Any = getattr(request, "htmx", None)
    return bool(htmx) and not htmx.boosted


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
