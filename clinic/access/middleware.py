"""Holds every page to the table in clinic/access/policy.py."""

from collections.abc import Callable
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponseBase, HttpResponseNotAllowed

from clinic.access.denials import record_denial
from clinic.access.policy import READING, allowed
from clinic.accounts.models import User


class PolicyMiddleware:
    """Decides before the view runs. Stands last, so that sign-in and context are known."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)

    def process_view(
        self, request: HttpRequest, view: Callable[..., Any], args: Any, kwargs: dict[str, Any]
    ) -> HttpResponseBase | None:
        """Errors: PermissionDenied, or Http404 where existence is not theirs to know."""
        name = request.resolver_match.view_name if request.resolver_match else ""
        method = request.method or "GET"
        decision = allowed(request.user, name, kwargs, method)
        request.relations = decision.relations  # type: ignore[attr-defined]
        if decision.allowed:
            return None
        if decision.status == 405:
            return HttpResponseNotAllowed(["POST"] if method in READING else sorted(READING))
        if isinstance(request.user, User):
            record_denial(request.user, name, kwargs, method, decision)
        if decision.status == 404:
            raise Http404
        raise PermissionDenied
