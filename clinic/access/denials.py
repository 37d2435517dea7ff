"""Records denied requests in the audit log, one entry for each attempt."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.views import csrf

from clinic.access.page_owner import owner_marks, page_owner_of
from clinic.access.passes import acting_pass
from clinic.access.policy import Decision, url_name_of
from clinic.access.relations import case_in
from clinic.access.signed_out import (
    ask_to_sign_in,
    is_from_script,
    is_same_origin,
    refuse_other_owner,
    refuse_stale_token,
    send_same_form_again,
)
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
    """Record a denied request as an act of its pass's owner, else of the signed-in user, if any."""
    access_pass = acting_pass(request)
    user = access_pass.user if access_pass else request.user
    if isinstance(user, User):
        kwargs = request.resolver_match.kwargs if request.resolver_match else {}
        record_denial(user, url_name_of(request), kwargs, request.method or "GET", decision)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Answer a request without a valid CSRF token (settings.CSRF_FAILURE_VIEW).

    The token changes with every sign-in, so the page may only be older than the last one. Then what was typed
    on it is not lost: 401 if its owner is signed out, else 403 with a way to send it once more. The denial is
    recorded if somebody is signed in.
    """
    record_request_denial(request, Decision(False, 403, "csrf"))
    mark = page_owner_of(request)
    from_script = is_from_script(request)
    if mark and (from_script or is_same_origin(request)):
        if not isinstance(request.user, User):
            return ask_to_sign_in(request)
        if mark not in owner_marks(request.user):
            return refuse_other_owner(request)
        return refuse_stale_token() if from_script else send_same_form_again(request)
    # The page that asks to sign in is nobody's. Its owner may have signed in in another window meanwhile.
    if mark == "" and is_same_origin(request) and url_name_of(request) == "account-return":
        return send_same_form_again(request)
    return csrf.csrf_failure(request, reason)
