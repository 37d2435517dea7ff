"""How long a session lives: until nobody has used it for a while, and never past its absolute end.

Both ends are kept in the session's row as its expiry, so whatever reads sessions (pages, streams, uploads)
finds one that has ended gone, and nothing but a person's own use moves the end.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore as DatabaseSessions
from django.http import HttpRequest, HttpResponseBase
from django.utils import timezone

from clinic.access.policy import TABLE

SINCE, SEEN = "since", "seen"
# A row written for every page would cost more than it tells; a session may end this many seconds early.
GRAIN = 60


class SessionStore(DatabaseSessions):
    """Sessions in the database that end on their own. Times in their data are seconds since 1970."""

    def get_expiry_date(self, **kwargs: Any) -> datetime:
        since, seen = self.get(SINCE), self.get(SEEN)
        if since is None or seen is None:
            return super().get_expiry_date(**kwargs)
        end = min(seen + settings.LACUNA_SESSION_IDLE_SECONDS, since + settings.SESSION_COOKIE_AGE)
        return datetime.fromtimestamp(end, UTC)

    async def aget_expiry_date(self, **kwargs: Any) -> datetime:
        return self.get_expiry_date(**kwargs)


def begin(request: HttpRequest, **_signal: Any) -> None:
    """Start a session's clock when somebody signs in (connected to `user_logged_in` in clinic/apps.py)."""
    request.session[SINCE] = request.session[SEEN] = int(timezone.now().timestamp())


class SessionLimitsMiddleware:
    """Notes that a person used their session; stands after SessionMiddleware."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        session = request.session
        if SESSION_KEY not in session:
            return response
        now = int(timezone.now().timestamp())
        if SINCE not in session:  # made by a release that kept no clock
            begin(request)
        elif now - session[SEEN] >= GRAIN and not happens_by_itself(request):
            session[SEEN] = now
        return response


def happens_by_itself(request: HttpRequest) -> bool:
    """Whether a page asked, not a person: a board that polls, or a view of the night that follows along."""
    if "Poll" in request.headers or request.headers.get("HX-Trigger-Name") == "poll":
        return True
    row = TABLE.get(request.resolver_match.view_name) if request.resolver_match else None
    return row is not None and row.quiet
