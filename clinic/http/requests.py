"""Helpers for views: a request's user, what opened its page to them, and what htmx wants of a page."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest

from clinic.access.policy import Decision
from clinic.accounts.models import User


def request_user(request: HttpRequest) -> User:
    """Return the user of a request in a view that requires sign-in.

    Errors: TypeError if nobody is signed in.
    """
    if not isinstance(request.user, User):
        raise TypeError("nobody is signed in")
    return request.user


def decision_of(request: HttpRequest) -> Decision:
    """Return the decision that opened the page: its roles and relations say what the page may show."""
    decision: Decision = request.decision  # type: ignore[attr-defined]
    return decision


def wants_fragment(request: HttpRequest) -> bool:
    """Return whether htmx asks for only a part of the page.

    For a boosted link, and when it restores a page of the history, htmx needs the whole page.
    """
    htmx: Any = getattr(request, "htmx", None)
    return bool(htmx) and not htmx.boosted and not htmx.history_restore_request


def announce(request: HttpRequest, text: str) -> None:
    """Add a sentence about what this request changed to the messages of the page.

    A part that htmx swaps shows the change itself, so there the sentence is only read out.
    """
    messages.success(request, text, extra_tags="spoken" if wants_fragment(request) else "")
