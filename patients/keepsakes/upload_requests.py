"""What both ways in share: the token, the case, the sentence, and the last step."""

import asyncio
import errno
import json
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import ParamSpec, TypeVar

from django.conf import settings
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, HttpResponse
from django.middleware.csrf import CsrfViewMiddleware
from django.utils import translation
from django.utils.translation import gettext as _

from clinic.audit.context import acting
from clinic.audit.record import actor_of
from clinic.http.guard import Refused, Scope, Send, Visitor, answer, give_back_connections, offload
from patients.cases.models import Case
from patients.consent.signing import agreed_to_keep
from patients.keepsakes.models import Keepsake
from patients.keepsakes.staging import Writer, finish_upload

P = ParamSpec("P")
T = TypeVar("T")

TUS = {"Tus-Resumable": "1.0.0", "Cache-Control": "no-store"}
# A decoder may take up to a gigabyte of memory; more at once than this wait their turn.
_decoders = ThreadPoolExecutor(2, thread_name_prefix="lacuna-decoder")


def _named(visitor: Visitor, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    with acting(actor_of(visitor.user), visitor.address), translation.override(visitor.language):
        return work(*args, **kwargs)


async def as_visitor(visitor: Visitor, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """`offload` in the visitor's name and language: a thread knows neither of the request it works for."""
    return await offload(partial(_named, visitor, work, *args, **kwargs))


def headers_of(scope: Scope) -> dict[str, str]:
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}


def check_csrf(request: ASGIRequest, token: str) -> None:
    """Hold a token against the visitor's cookie, and the Origin header, as Django does. Errors: Refused."""

    def view(_request: HttpRequest) -> HttpResponse:
        return HttpResponse()

    # Django would look for the token in a POST body first; this body is not to be read here.
    request.method = "PUT"
    request.META["HTTP_X_CSRFTOKEN"] = token
    guard = CsrfViewMiddleware(view)
    guard.process_request(request)
    if guard.process_view(request, view, (), {}) is not None:
        raise Refused(403, _("This page has been open for too long. Please reload it and try again."))


def current_case(visitor: Visitor) -> Case:
    """Errors: Refused where the visitor has no case that is open, or did not agree that we keep things."""
    case = Case.objects.current().filter(patient=visitor.user).first()
    if case is None:
        raise Refused(409, _("You have no open file, so there is nowhere to put this."))
    if not agreed_to_keep(case):
        raise Refused(409, _("Please agree first that we keep what you bring. It is on your page."))
    return case


def too_large() -> Refused:
    megabytes = settings.LACUNA_UPLOAD_MAX_BYTES // 1024**2
    return Refused(413, _("This file is larger than %(megabytes)d MB.") % {"megabytes": megabytes})


def kind_of(word: str) -> str:
    """Only 'object' says more than the bytes do; anything else is nothing."""
    return Keepsake.Kind.OBJECT if word == Keepsake.Kind.OBJECT else Keepsake.Kind.PHOTO


def _keep(visitor: Visitor, writer: Writer) -> Keepsake:
    try:
        return _named(visitor, finish_upload, writer.upload, by=visitor.user)
    finally:
        give_back_connections()


async def keep(visitor: Visitor, writer: Writer) -> Keepsake:
    """Make a keepsake of a finished upload, in a thread of its own kind: a decoder takes seconds, and must
    not hold up what others wait for. Errors: as `finish_upload`."""
    return await asyncio.get_running_loop().run_in_executor(_decoders, _keep, visitor, writer)


def is_full(error: OSError) -> bool:
    """Whether the disk is the trouble, not the file."""
    return error.errno in {errno.ENOSPC, errno.EDQUOT}


async def say(send: Send, status: int, text: str, headers: Mapping[str, str] | None = None) -> None:
    """Answer with a sentence for the person, as JSON."""
    body = json.dumps({"error": text}, ensure_ascii=False).encode()
    more = TUS | dict(headers or {})
    await answer(send, status, body, content_type="application/json; charset=utf-8", headers=more)
