"""Functions shared by tus.py and form_post.py: CSRF check, current case, errors, last step."""

import asyncio
import json
import logging
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from copy import copy
from functools import partial
from typing import ParamSpec, TypeVar
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.middleware.csrf import CsrfViewMiddleware
from django.utils import translation
from django.utils.translation import gettext as _

from clinic.access.denials import record_denial
from clinic.access.policy import Decision
from clinic.access.signed_out import STALE
from clinic.audit.context import acting
from clinic.audit.record import actor_of
from clinic.http.guard import Refused, Scope, Send, Visitor, answer, give_back_connections, offload
from clinic.unavailable import RETRY_AFTER, is_full, outage
from patients.cases.models import Case
from patients.consent.signing import agreed_to_keep
from patients.keepsakes.models import Keepsake
from patients.keepsakes.staging import Writer, finish_upload

log = logging.getLogger("lacuna.unavailable")

P = ParamSpec("P")
T = TypeVar("T")

TUS_HEADERS = {"Tus-Resumable": "1.0.0", "Cache-Control": "no-store"}
# A decoder may use up to a gigabyte of memory: two run at once, others wait.
_decoders = ThreadPoolExecutor(2, thread_name_prefix="lacuna-decoder")


def _run_as_visitor(visitor: Visitor, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    with acting(actor_of(visitor.user), visitor.address), translation.override(visitor.language):
        return work(*args, **kwargs)


async def as_visitor(visitor: Visitor, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Like `offload`, but with the visitor as audit actor and in their language.

    A worker thread inherits neither from the request.
    """
    return await offload(partial(_run_as_visitor, visitor, work, *args, **kwargs))


def headers_of(scope: Scope) -> dict[str, str]:
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}


def deny(visitor: Visitor, because: str, *, name: str, upload: UUID | None = None) -> None:
    """Record that an upload was denied. name: of the URL. upload: the upload that was asked for."""
    kwargs = {"upload": upload} if upload else {}
    decision = Decision(False, 404 if upload else 403, because)
    record_denial(visitor.user, name, kwargs, visitor.request.method or "", decision, visitor.address)


class CsrfCheck(CsrfViewMiddleware):
    """Django's check with an empty 403: its failure view would need a request with session and user."""

    def _reject(self, request: HttpRequest, reason: str) -> HttpResponse:
        return HttpResponse(status=403)


def is_valid_csrf(visitor: Visitor, token: str) -> bool:
    """Return whether a CSRF token fits the cookie, and the Origin header the host, as Django checks it."""

    def view(_request: HttpRequest) -> HttpResponse:
        return HttpResponse()

    request = copy(visitor.request)
    # For POST, Django would look for the token in the body first, and the body must not be read here.
    request.method = "PUT"
    request.META = request.META | {"HTTP_X_CSRFTOKEN": token}
    middleware = CsrfCheck(view)
    middleware.process_request(request)
    return middleware.process_view(request, view, (), {}) is None


def check_csrf(visitor: Visitor, token: str, *, name: str) -> None:
    """Check a CSRF token. name: of the URL. Errors: Refused; the denial is recorded."""
    if not is_valid_csrf(visitor, token):
        raise refused_as_stale(visitor, name)


def refused_as_stale(visitor: Visitor, name: str) -> Refused:
    """Record a denial for a missing or wrong CSRF token, and return its error."""
    deny(visitor, "csrf", name=name)
    text = _("This page has been open for too long. Please reload it and try again.")
    return Refused(403, text, STALE)


def current_case(visitor: Visitor) -> Case:
    """Return the visitor's open case. Errors: Refused if there is none, or no consent to store."""
    case = Case.objects.current().filter(patient=visitor.user).first()
    if case is None:
        raise Refused(409, _("You have no open file, so there is nowhere to put this."))
    if not agreed_to_keep(case):
        raise Refused(409, _("Please agree first that we keep what you bring. It is on your page."))
    return case


def requested_kind(value: str) -> str:
    """Return OBJECT if the client asked for it, else PHOTO. (If it is no picture, the content decides.)"""
    return Keepsake.Kind.OBJECT if value == Keepsake.Kind.OBJECT else Keepsake.Kind.PHOTO


def _finish_and_release(visitor: Visitor, writer: Writer) -> Keepsake:
    """Like `finish_upload`, but release this thread's database connections afterwards."""
    try:
        return _run_as_visitor(visitor, finish_upload, writer.upload, by=visitor.user)
    finally:
        give_back_connections()


async def finish_in_decoder_pool(visitor: Visitor, writer: Writer) -> Keepsake:
    """Make a keepsake of a completely received upload, in the thread pool for decoding.

    Decoding takes seconds, so it must not occupy the threads of other requests. Errors: as `finish_upload`.
    """
    return await asyncio.get_running_loop().run_in_executor(_decoders, _finish_and_release, visitor, writer)


def storage_error(error: Exception) -> Refused | None:
    """Return the refusal for an error of disk, storage or database: 507 if one is full, else 503.

    None if the error is a fault of the code.
    """
    if is_full(error):
        text = _("There is no room for this at the moment. Nothing of it was kept; please try again later.")
        return Refused(507, text)
    sentence = outage(error)
    if not sentence and not isinstance(error, OSError):
        return None
    log.error("%s", sentence or error)
    text = _("We could not store this just now. Please try again in a minute.")
    return Refused(503, text, {"Retry-After": str(RETRY_AFTER)})


async def send_error(send: Send, status: int, text: str, headers: Mapping[str, str] | None = None) -> None:
    """Send a sentence for the user as JSON."""
    body = json.dumps({"error": text}, ensure_ascii=False).encode()
    all_headers = TUS_HEADERS | dict(headers or {})
    await answer(send, status, body, content_type="application/json; charset=utf-8", headers=all_headers)
