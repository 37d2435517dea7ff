"""Records denied requests in the audit log, one entry for each attempt."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.views import csrf

from clinic.access.policy import Decision
from clinic.access.relations import case_in
from clinic.accounts.models import User
from clinic.audit.record import Act, actor_of, record


@transaction.atomic
def record_denial(
    user: User, name: str, kwargs: Mapping[str, Any], method: str, decision: Decision, address: str = ""
) -> None:
    """Record that `user` was denied the URL `name` with the URL arguments `kwargs`.

    The entry has every UUID of `kwargs`, also those of objects that do not exist. It has the case of the
    object, so that an auditor who is the patient does not read it.
    """
    ids = {key: value for key, value in kwargs.items() if isinstance(value, UUID)}
    record(
        Act(
            "access.denied",
            f"url:{name or 'unknown'}",
            actor=actor_of(user),
            case=case_in(user, ids) or ids.get("case"),
            run=ids.get("run"),
            details={"method": method.lower()[:10], "because": decision.because, **ids},
            address=address,
        )
    )


def record_request_denial(request: HttpRequest, decision: Decision) -> None:
    """Record that a request was denied, if somebody is signed in."""
    match = request.resolver_match
    if isinstance(request.user, User):
        name, kwargs = (match.view_name, match.kwargs) if match else ("", {})
        record_denial(request.user, name, kwargs, request.method or "GET", decision)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Answer a form without a valid CSRF token (settings.CSRF_FAILURE_VIEW): 403, recorded as a denial."""
    record_request_denial(request, Decision(False, 403, "csrf"))
    return csrf.csrf_failure(request, reason)
