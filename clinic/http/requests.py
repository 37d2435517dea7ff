"""What views ask of a request: who sends it, and whether htmx wants a part of the page."""

from typing import Any

from django.http import HttpRequest

from clinic.accounts.models import User


def request_user(request: HttpRequest) -> User:
    """Return the signed-in person of a request that LoginRequiredMiddleware has let through."""
    if not isinstance(request.user, User):
        raise TypeError("nobody is signed in")
    return request.user


def wants_fragment(request: HttpRequest) -> bool:
    """Return whether htmx asks for a part of the page only. A step back in history asks for the whole."""
    htmx: Any = getattr(request, "htmx", None)
    return bool(htmx) and not htmx.boosted and not htmx.history_restore_request
