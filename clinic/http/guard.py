"""Checks and response headers for the ASGI routes, which bypass Django's middleware (settings.ASGI_ROUTES).

Streams, pictures and uploads are answered outside Django's URL resolver. Before anything else each of them
calls `admit` (or `check`), which checks the host, finds the user, asks the access policy and records a
denial. The response headers are taken from the same middleware classes that Django's pages use, so both stay
equal.
"""

import asyncio
import io
import logging
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache, partial
from threading import Barrier
from typing import Any, NoReturn, ParamSpec, TypeVar

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY, load_backend
from django.contrib.sessions.backends.base import SessionBase
from django.core.exceptions import DisallowedHost
from django.core.handlers.asgi import ASGIRequest
from django.db import connections
from django.http import HttpResponse
from django.utils import translation
from django.utils.crypto import constant_time_compare
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _

from clinic.access.denials import record_denial
from clinic.access.page_owner import HEADER, owner_marks
from clinic.access.passes import Sender, pass_for
from clinic.access.policy import Decision, Pass, allowed
from clinic.access.signed_out import CHALLENGE, LEAVE
from clinic.accounts.models import User
from clinic.audit.context import client_address
from clinic.unavailable import RETRY_AFTER, outage

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Header = tuple[bytes, bytes]

log = logging.getLogger("lacuna.unavailable")

P = ParamSpec("P")
T = TypeVar("T")

# Each thread may use one database connection. On PostgreSQL the pool has 12 for the whole process
# (settings.py).
THREADS = 6
_threads = ThreadPoolExecutor(THREADS, thread_name_prefix="lacuna-asgi")

# The middleware whose headers every response has.
HEADER_MIDDLEWARE = (
    "csp.middleware.CSPMiddleware",
    "django_permissions_policy.PermissionsPolicyMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "clinic.http.resource_policy.ResourcePolicyMiddleware",
)
ALWAYS = {"Cache-Control": "private, no-store"}


class Refused(Exception):
    """The request is refused. status: of the HTTP response. text: its body, a sentence for the user."""

    def __init__(self, status: int, text: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(text)
        self.status, self.text, self.headers = status, text, dict(headers or {})


class LateForm(Exception):
    """A form came after its page's sign-in had ended. Django's application answers it, as any other form.

    The router passes it on. fields: names and values of its text fields.
    """

    def __init__(self, fields: Iterable[tuple[str, str]]) -> None:
        super().__init__("the page's sign-in has ended")
        self.fields = list(fields)


@dataclass(frozen=True)
class Visitor:
    """An admitted request and its user.

    session_hash: as the session had it at that moment (see `is_valid_session_hash`). address: the client's IP
    address. decision: what opened the URL to the user. access_pass: the pass by which the request acts. With
    a pass, session key and session hash are empty and `user` is the owner of the pass.
    """

    user: User
    session_key: str
    session_hash: str
    language: str
    address: str
    request: ASGIRequest
    decision: Decision = field(default_factory=lambda: Decision(False))
    access_pass: Pass | None = None


async def offload(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run blocking `work` in one of a few threads and return its database connection to the pool after it."""
    task = partial(_run_and_give_back, work, *args, **kwargs)
    return await asyncio.get_running_loop().run_in_executor(_threads, task)


def _run_and_give_back(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    try:
        return work(*args, **kwargs)
    finally:
        give_back_connections()


def give_back_connections() -> None:
    """Return this thread's database connections to the pool.

    SQLite connections stay open: there is no pool, and opening the file again costs more.
    """
    for connection in connections.all(initialized_only=True):
        if connection.vendor != "sqlite" or connection.errors_occurred:
            connection.close()


def close_connections() -> None:
    """Close the database connections of all threads, for the end of the process.

    Later work opens new ones.
    """
    all_threads = Barrier(THREADS)

    def close() -> None:
        all_threads.wait(timeout=10)  # so that each thread runs `close` once
        connections.close_all()

    for closed in [_threads.submit(close) for _thread in range(THREADS)]:
        closed.result()


async def admit(scope: Scope, name: str, kwargs: Mapping[str, Any]) -> Visitor:
    """Return the visitor if the access policy allows the request.

    name, kwargs: like a URL's name and arguments, for the row of the policy. Never writes to the session.
    Errors: Refused; if somebody is signed in, the denial is recorded.
    """
    return await offload(check, scope, name, kwargs)


def check(scope: Scope, name: str, kwargs: Mapping[str, Any]) -> Visitor:
    """Do the same as `admit`, but blocking. Call it in a worker thread."""
    request = checked_host(scope)
    language = translation.get_language_from_request(request)
    with translation.override(language):
        session = session_of(request.COOKIES.get(settings.SESSION_COOKIE_NAME, ""))
        user = user_of(session) if session else None
        mark = request.headers.get(HEADER)
        access_pass = pass_for(name, kwargs, request.COOKIES, Sender(user, mark))
        user = access_pass.user if access_pass else user
        if user is None:
            raise Refused(401, _("Please sign in."), CHALLENGE)
        check_page_owner(mark, user)
        decision = allowed(user, name, dict(kwargs), request.method or "GET", access_pass)
        address = client_address(
            request.META.get("REMOTE_ADDR", ""), request.META.get("HTTP_X_FORWARDED_FOR", "")
        )
        if not decision.allowed:
            refuse(user, name, kwargs, request.method or "GET", decision, address)
    if access_pass or session is None:
        return Visitor(user, "", "", language, address, request, decision, access_pass)
    key, session_hash = session.session_key or "", session[HASH_SESSION_KEY]
    return Visitor(user, key, session_hash, language, address, request, decision)


def check_page_owner(mark: str | None, user: User) -> None:
    """Check that a request comes from a page that was made for `user`. mark: of the page, None if unknown.

    Errors: Refused (401, so that a script leaves the page).
    """
    if mark is not None and mark not in owner_marks(user):
        raise Refused(401, _("Please sign in."), CHALLENGE | LEAVE)


def checked_host(scope: Scope) -> ASGIRequest:
    """Return the request if its host is in ALLOWED_HOSTS and, if required, it came over HTTPS.

    Errors: Refused.
    """
    request = ASGIRequest(dict(scope), io.BytesIO())
    try:
        request.get_host()
    except DisallowedHost:
        raise Refused(400, "This host name is not served here.") from None
    if settings.SECURE_SSL_REDIRECT and not request.is_secure():
        raise Refused(403, "Only over HTTPS.")
    return request


def refuse(
    user: User, name: str, kwargs: Mapping[str, Any], method: str, decision: Decision, address: str
) -> NoReturn:
    """Record the denied request, then raise Refused with the decision's status (403 or 404)."""
    record_denial(user, name, kwargs, method, decision, address)
    if decision.status == 404:
        raise Refused(404, _("There is nothing here."))
    raise Refused(403, _("This is not yours to see."))


def session_of(key: str) -> SessionBase | None:
    """Return the session with this cookie value, or None if it has ended. Never writes to it."""
    engine = import_string(f"{settings.SESSION_ENGINE}.SessionStore")
    session: SessionBase = engine(session_key=key or None)
    return session if session.get(SESSION_KEY) else None


def user_of(session: SessionBase) -> User | None:
    """Return the user of a session, or None if they are not active or its hash is not valid any more.

    Unlike `django.contrib.auth.get_user` it neither flushes a session nor cycles its key.
    """
    backend = session.get(BACKEND_SESSION_KEY)
    if backend not in settings.AUTHENTICATION_BACKENDS:
        return None
    user = load_backend(backend).get_user(session[SESSION_KEY])
    if not isinstance(user, User) or not user.is_active:
        return None
    return user if is_valid_session_hash(user, session.get(HASH_SESSION_KEY, "")) else None


def is_valid_session_hash(user: User, session_hash: str) -> bool:
    """Return whether a session hash was made from the user's present passphrase and stamp.

    The secret may be SECRET_KEY or any of SECRET_KEY_FALLBACKS.
    """
    hashes = (user.get_session_auth_hash(), *user.get_session_auth_fallback_hash())
    return any(constant_time_compare(session_hash, valid) for valid in hashes)


@lru_cache(maxsize=2)
def _middleware_headers(secure: bool) -> Mapping[str, str]:
    """Return the headers that HEADER_MIDDLEWARE sets on an empty response. secure: as for HTTPS."""
    scope = {"type": "http", "method": "GET", "path": "/", "headers": [], "query_string": b""}
    request = ASGIRequest(scope | {"scheme": "https" if secure else "http"}, io.BytesIO())
    if secure and settings.SECURE_PROXY_SSL_HEADER:
        name, value = settings.SECURE_PROXY_SSL_HEADER
        request.META[name] = value
    response = HttpResponse()
    del response["Content-Type"]
    for path in HEADER_MIDDLEWARE:
        import_string(path)(lambda _request: response)(request)
    return dict(response.items())


def response_headers(content_type: str, headers: Mapping[str, str] | None = None) -> list[Header]:
    """Return response headers for ASGI: those of every page, updated with `headers`.

    content_type: empty for a response without a body, such as 304.
    """
    own = {"Content-Type": content_type} if content_type else {}
    fields = {**_middleware_headers(settings.HTTPS), **ALWAYS, **own, **(headers or {})}
    return [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in fields.items()]


async def answer(
    send: Send,
    status: int,
    body: bytes = b"",
    *,
    content_type: str = "text/plain; charset=utf-8",
    head: bool = False,
    headers: Mapping[str, str] | None = None,
) -> None:
    """Send a complete response. head: the request was HEAD, so send the body's length but not the body."""
    fields = {"Content-Length": str(len(body)), **(headers or {})}
    start = response_headers(content_type, fields)
    await send({"type": "http.response.start", "status": status, "headers": start})
    await send({"type": "http.response.body", "body": b"" if head else body})


async def answer_refusal(send: Send, refusal: Refused, *, head: bool = False) -> None:
    """Send the response of a `Refused` as plain text."""
    await answer(send, refusal.status, refusal.text.encode(), head=head, headers=refusal.headers)


@contextmanager
def outages_refused(scope: Scope) -> Iterator[None]:
    """Raise a 503 refusal instead of an error that means that the database or a service is unavailable.

    The refusal does not name the service to the user; the log does.
    """
    try:
        yield
    except Exception as error:
        if not (sentence := outage(error)):
            raise
        log.error("%s", sentence)
        with translation.override(language_of(scope)):
            text = _("This cannot be shown just now. Please try again in a minute.")
        raise Refused(503, text, {"Retry-After": str(RETRY_AFTER)}) from error


def language_of(scope: Scope) -> str:
    """Return the visitor's language, from the cookie or the header of the request."""
    return translation.get_language_from_request(ASGIRequest(dict(scope), io.BytesIO()))


def require_methods(scope: Scope, methods: Iterable[str]) -> None:
    """Check that the request's method is one of `methods`. Errors: Refused (405)."""
    allowed_methods = list(methods)
    if scope["method"] not in allowed_methods:
        raise Refused(405, "This method is not allowed here.", {"Allow": ", ".join(allowed_methods)})
