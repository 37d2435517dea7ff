"""Session lifetime: a session ends when it was idle too long, and at the latest at its absolute end.

The earlier of both is stored as the session row's expiry date, so every reader of sessions (pages, streams,
uploads) treats an ended session as absent. Only a person's own requests move the idle end.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore as DatabaseSessions
from django.http import HttpRequest, HttpResponseBase
from django.utils import timezone

from clinic.access.policy import row_of

SINCE, SEEN = "since", "seen"
# The time of last use is written at most once in this many seconds, to save a write for each page. So a
# session may end that much too early.
SEEN_INTERVAL = 60


class SessionStore(DatabaseSessions):
    """Database sessions with an idle limit and an absolute limit. SINCE and SEEN are seconds since 1970."""

    def get_expiry_date(self, **kwargs: Any) -> datetime:
        since, seen = self.get(SINCE), self.get(SEEN)
        if since is None or seen is None:
            return super().get_expiry_date(**kwargs)
        end = min(seen + settings.LACUNA_SESSION_IDLE_SECONDS, since + settings.SESSION_COOKIE_AGE)
        return datetime.fromtimestamp(end, UTC)

    async def aget_expiry_date(self, **kwargs: Any) -> datetime:
        return self.get_expiry_date(**kwargs)


def set_session_start(request: HttpRequest, **_signal: Any) -> None:
    """Set the start and last use of a session. Connected to `user_logged_in` in clinic/apps.py."""
    request.session[SINCE] = request.session[SEEN] = int(timezone.now().timestamp())


class SessionLimitsMiddleware:
    """Records in a session when a person last used it. In MIDDLEWARE it comes after SessionMiddleware."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        session = request.session
        # A server error is saved in no session, and the database may be the cause of it.
        if response.status_code >= 500 or SESSION_KEY not in session:
            return response
        now = int(timezone.now().timestamp())
        if SINCE not in session:  # made by a release that did not record these times
            set_session_start(request)
        elif now - session[SEEN] >= SEEN_INTERVAL and not is_automatic(request):
            session[SEEN] = now
        return response


def is_automatic(request: HttpRequest) -> bool:
    """Return whether this request does not count as a use of the session.

    That is so if a page sent it without its user (it polls, or its policy row is `quiet`), or if it acts by a
    pass, also when the owner of the pass is signed in.
    """
    if getattr(request, "acting_pass", None):  # set by clinic.access.passes.acting_pass
        return True
    if "Poll" in request.headers or request.headers.get("HX-Trigger-Name") == "poll":
        return True
    row = row_of(request)
    return row is not None and row.quiet
