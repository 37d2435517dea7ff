"""Sets the audit context (actor and address) for the duration of a request."""

from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from typing import Any, cast

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from clinic.audit.context import acting, actor_of, client_address


class AuditContextMiddleware:
    """Gives entries written during a request its user and address.

    In MIDDLEWARE it comes after AuthenticationMiddleware.
    """

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        self.get_response = get_response
        self.is_async = iscoroutinefunction(get_response)
        if self.is_async:
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        if self.is_async:
            return self.acall(request)
        with request_context(request):
            return cast(HttpResponseBase, self.get_response(request))

    async def acall(self, request: HttpRequest) -> HttpResponseBase:
        with request_context(request):
            return cast(HttpResponseBase, await self.get_response(request))


def request_context(request: HttpRequest) -> AbstractContextManager[None]:
    """Return a context manager that sets actor and address of `request` for the entries written inside."""
    address = client_address(
        request.META.get("REMOTE_ADDR", ""), request.META.get("HTTP_X_FORWARDED_FOR", "")
    )
    return acting(lambda: actor_of(request.user), address)
