"""What the house stands on and cannot reach: a person is told so in plain words, on a page that says 503."""

import logging
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render

if TYPE_CHECKING:
    from redis.exceptions import RedisError

log = logging.getLogger("lacuna.unavailable")

RETRY_AFTER = 30  # seconds


class ServiceUnavailable(OSError):
    """Something the house stands on does not answer, or refuses; the message says what, in a sentence."""


def redis_errors() -> "tuple[type[RedisError], ...]":
    """What redis raises, for an `except`; nothing where redis is not loaded, and so raises nothing.

    Loading it takes a fifth of the time in which a process starts, and most installations have no Redis.
    """
    redis = sys.modules.get("redis.exceptions")
    return (redis.RedisError,) if redis else ()


def redis_is_unavailable(error: Exception) -> str:
    """Say in a sentence that Redis is away. Its messages name host and port, never the password."""
    return f"Redis does not answer as LACUNA_REDIS says: {error}"


class ServiceUnavailableMiddleware:
    """Answers for a view that met something that is away."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """The page for `ServiceUnavailable` and for Redis; None for any other error."""
        if not isinstance(error, (ServiceUnavailable, *redis_errors())):
            return None
        log.error("%s", error if isinstance(error, ServiceUnavailable) else redis_is_unavailable(error))
        page = render(request, "503.html", status=503)
        page["Retry-After"] = str(RETRY_AFTER)
        page["Cache-Control"] = "private, no-store"
        return page
