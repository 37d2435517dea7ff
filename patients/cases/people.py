"""Who asks, and for which case: what every page of this room begins with."""

from typing import Any
from uuid import UUID

from django.http import HttpRequest
from django.shortcuts import get_object_or_404

from clinic.people.models import User
from patients.cases.models import Case


def request_user(request: HttpRequest) -> User:
    """The signed-in person of a request that LoginRequiredMiddleware has let through."""
    if not isinstance(request.user, User):
        raise TypeError("nobody is signed in")
    return request.user


def case_or_404(case: UUID) -> Case:
    """The case with its patient. Errors: Http404."""
    return get_object_or_404(Case.objects.select_related("patient"), pk=case)


def wants_fragment(request: HttpRequest) -> bool:
    """Whether htmx asks for a part of the page only; a step back in history asks for the whole."""
    htmx: Any = getattr(request, "htmx", None)
    return bool(htmx) and not htmx.boosted and not htmx.history_restore_request
