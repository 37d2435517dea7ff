"""The answers to a request whose page outlived its sign-in (docs/decisions/0014-when-a-sign-in-ends.md).

A request that a script sent gets 401 and no page. A form that was sent whole gets a page that keeps what was
typed, sealed, until the same person has signed in again.
"""

from collections.abc import Iterable
from urllib.parse import urlsplit

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.http import escape_leading_slashes
from django.utils.translation import gettext as _

from clinic.access.page_owner import page_owner_of
from clinic.access.sealed_forms import TooLong, seal, typed_fields

CHALLENGE = {"WWW-Authenticate": "Session"}
# For a script whose page belongs to somebody else: leave it. htmx and static/page/account.js read this.
LEAVE = {"HX-Redirect": "/"}
# On a 403: the page's CSRF token is of an earlier sign-in of the same person. A script may fetch another.
STALE = {"Stale-Token": "1"}
# After signing out: the browser forgets its cached pages and what scripts stored.
FORGET = ("Clear-Site-Data", '"cache", "storage"')
# The field of a form that is sent a second time. Such a form does not send itself a third time.
SENT_AGAIN = "sent_again"


def is_from_script(request: HttpRequest) -> bool:
    """Return whether a script sent the request, so that no person would see a page that answers it."""
    headers = request.headers
    if headers.get("HX-Request") == "true" or "Poll" in headers:
        return True
    if mode := headers.get("Sec-Fetch-Mode"):
        return mode != "navigate"
    accepted = headers.get("Accept", "")
    return "application/json" in accepted and "text/html" not in accepted


def is_same_origin(request: HttpRequest) -> bool:
    """Return whether the browser says that a page of this origin sent the request. No other site can."""
    if site := request.headers.get("Sec-Fetch-Site"):
        return site == "same-origin"
    origin = urlsplit(request.headers.get("Origin", ""))
    return (origin.scheme, origin.netloc) == (request.scheme, request.get_host())


def refuse_script(more: dict[str, str] | None = None) -> HttpResponse:
    """Return the 401 for a script of somebody who is signed out: a sentence, and no page. more: headers."""
    headers = CHALLENGE | (more or {})
    return HttpResponse(_("Please sign in."), status=401, content_type="text/plain", headers=headers)


def ask_to_sign_in(request: HttpRequest) -> HttpResponse:
    """Return the 401 for a request of a page whose owner is signed out.

    For a form that was sent whole it is a page with a sign-in form, which keeps what was typed.
    """
    if is_from_script(request):
        return refuse_script()
    try:
        sealed = seal(page_owner_of(request) or "", _path_of(request), request.POST)
    except TooLong:
        sealed = ""
    return sign_in_page(request, sealed)


def sign_in_page(request: HttpRequest, sealed: str) -> HttpResponse:
    """Return the page with which one signs in and what was typed goes on. sealed: "" if it was too long."""
    from allauth.account.forms import LoginForm  # needs the models, which are not loaded when this module is

    context = {"form": LoginForm(request=request), "sealed": sealed}
    page = render(request, "clinic/access/signed_out.html", context, status=401)
    page.headers["WWW-Authenticate"] = CHALLENGE["WWW-Authenticate"]
    return page


def refuse_other_owner(request: HttpRequest) -> HttpResponse:
    """Return the answer to a request of a page that was made for somebody else. It shows nothing of it."""
    if is_from_script(request):
        return refuse_script(LEAVE)
    return render(request, "clinic/access/other_owner.html", status=403)


def refuse_stale_token() -> HttpResponse:
    """Return the 403 for a script whose page has the CSRF token of an earlier sign-in."""
    text = _("This page has been open for too long. Please reload it and try again.")
    return HttpResponse(text, status=403, content_type="text/plain", headers=STALE)


def send_again_page(
    request: HttpRequest,
    path: str,
    fields: Iterable[tuple[str, str]],
    *,
    automatic: bool,
    status: int = 200,
) -> HttpResponse:
    """Return a page that sends a form once more, with fresh tokens: by its button, or by itself.

    path: where the form goes. automatic: it sends itself where scripts run, unless it did so before.
    """
    fields = [(name, value) for name, value in fields if name != SENT_AGAIN]
    context = {"path": path, "fields": fields, "automatic": automatic and SENT_AGAIN not in request.POST}
    return render(request, "clinic/access/send_again.html", context, status=status)


def send_same_form_again(request: HttpRequest) -> HttpResponse:
    """Return the page that sends the form in `request` once more (403: nothing was done yet)."""
    fields = typed_fields(request.POST)
    return send_again_page(request, _path_of(request), fields, automatic=True, status=403)


def _path_of(request: HttpRequest) -> str:
    return escape_leading_slashes(request.get_full_path())
