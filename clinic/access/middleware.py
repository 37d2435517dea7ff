"""Enforces the policy table of clinic/access/policy.py for every view."""

from collections.abc import Callable
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponseBase, HttpResponseNotAllowed

from clinic.access.denials import record_request_denial
from clinic.access.passes import acting_pass
from clinic.access.policy import READING, Decision, allowed, url_name_of


class PolicyMiddleware:
    """Allows or denies a request before its view runs.

    In MIDDLEWARE it comes after what sets `request.user` and the audit context: it needs both.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)

    def process_view(
        self, request: HttpRequest, view: Callable[..., Any], args: Any, kwargs: dict[str, Any]
    ) -> HttpResponseBase | None:
        """Return None to let the view run, or a 405 response for a method that the URL does not have.

        Sets `request.decision`, which says by which roles and relations the page opened. Errors:
        PermissionDenied, or Http404 where the user must not learn whether the object exists.
        """
        name = url_name_of(request)
        method = request.method or "GET"
        decision = allowed(request.user, name, kwargs, method, acting_pass(request))
        request.decision = decision  # type: ignore[attr-defined]
        if decision.allowed:
            return None
        if decision.status == 405:
            return HttpResponseNotAllowed(["POST"] if method in READING else sorted(READING))
        record_request_denial(request, decision)
        if decision.status == 404:
            raise Http404
        raise PermissionDenied

    def process_exception(self, request: HttpRequest, exception: Exception) -> None:
        """Record a refusal of the view itself: the object does not exist, or belongs to another parent."""
        if isinstance(exception, Http404 | PermissionDenied):
            status = 404 if isinstance(exception, Http404) else 403
            record_request_denial(request, Decision(False, status, "no-object"))
