"""Requires a sign-in or a pass for views that are not public, and refuses pages made for somebody else."""

from collections.abc import Callable
from typing import Any

from django.contrib.auth.middleware import LoginRequiredMiddleware
from django.http import HttpRequest, HttpResponseBase

from clinic.access.page_owner import owner_marks, page_owner_of
from clinic.access.passes import acting_pass
from clinic.access.policy import PUBLIC, READING, row_of, url_name_of
from clinic.access.signed_out import (
    FORGET,
    ask_to_sign_in,
    is_from_script,
    refuse_other_owner,
    refuse_script,
)
from clinic.accounts.models import User


class SignInRequiredMiddleware(LoginRequiredMiddleware):
    """Answers requests of people who are signed out, and of pages that were made for somebody else.

    In MIDDLEWARE it comes where Django has LoginRequiredMiddleware: after AuthenticationMiddleware.
    """

    def process_view(
        self, request: HttpRequest, view_func: Callable[..., Any], view_args: Any, view_kwargs: Any
    ) -> HttpResponseBase | None:
        """Return None to let the request go on, or the response that refuses it."""
        if acting_pass(request):
            return None  # PolicyMiddleware decides whether the pass opens this URL
        # For an ownerless URL the mark is not read: that would parse the body, which its view may read.
        mark = None if is_ownerless(request) else page_owner_of(request)
        if mark is not None:
            if not isinstance(request.user, User):
                if mark:
                    return ask_to_sign_in(request)
            elif mark not in owner_marks(request.user) and not (mark == "" and is_public(request)):
                return refuse_other_owner(request)
        refusal = super().process_view(request, view_func, view_args, view_kwargs)
        # A redirect to the sign-in page is for people who follow a link.
        return refuse_script() if refusal is not None and is_from_script(request) else refusal

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        """After signing out the browser forgets its cached pages and what scripts stored."""
        if (
            url_name_of(request) == "account_logout"
            and request.method == "POST"
            and response.status_code == 302
        ):
            response.headers.setdefault(*FORGET)
        return response


def is_ownerless(request: HttpRequest) -> bool:
    """Return whether this URL ignores for whom the page that sends a request was made."""
    row = row_of(request)
    return row is not None and row.ownerless


def is_public(request: HttpRequest) -> bool:
    """Return whether the URL can be used by this method without signing in."""
    row = row_of(request)
    return row is not None and (row.read if request.method in READING else row.write) == PUBLIC
