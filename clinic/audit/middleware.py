"""Tells the log who is asking, for as long as a request lasts."""

from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from typing import Any, cast

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from clinic.audit.context import acting, actor_of, client_address


class AuditContextMiddleware:
    """Fills actor and address of entries written during a request; stands after AuthenticationMiddleware."""

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        self.get_response = get_response
        self.awaits = iscoroutinefunction(get_response)
        if self.awaits:
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        if self.awaits:
            return self.answer_later(request)
        with of_request(request):
            return cast(HttpResponseBase, self.get_response(request))

    async def answer_later(self, request: HttpRequest) -> HttpResponseBase:
        with of_request(request):
            return cast(HttpResponseBase, await self.get_response(request))


def of_request(request: HttpRequest) -> AbstractContextManager[None]:
    """Return the context in which `request` acts."""
    address = client_address(
        request.META.get("REMOTE_ADDR", ""), request.META.get("HTTP_X_FORWARDED_FOR", "")
    )
    return acting(lambda: actor_of(request.user), address)
