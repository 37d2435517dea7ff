"""The error for services that are unavailable (Redis, the mail server and others), and its 503 page."""

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
    """A service that we depend on does not answer or refuses. The message says which, in a sentence."""


def redis_errors() -> "tuple[type[RedisError], ...]":
    """Return the exception classes of redis for an `except` clause; () if redis is not imported.

    It is not imported here: that takes a fifth of a process's start-up time, and most installations have no
    Redis.
    """
    redis = sys.modules.get("redis.exceptions")
    return (redis.RedisError,) if redis else ()


def redis_is_unavailable(error: Exception) -> str:
    """Return a sentence that Redis is unavailable. Messages of redis have host and port, but no password."""
    return f"Redis does not answer as LACUNA_REDIS says: {error}"


class ServiceUnavailableMiddleware:
    """Answers with a 503 page if a view raises `ServiceUnavailable` or an error of Redis."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """Return the 503 page for `ServiceUnavailable` and errors of Redis; None for other errors."""
        if not isinstance(error, (ServiceUnavailable, *redis_errors())):
            return None
        log.error("%s", error if isinstance(error, ServiceUnavailable) else redis_is_unavailable(error))
        page = render(request, "503.html", status=503)
        page["Retry-After"] = str(RETRY_AFTER)
        page["Cache-Control"] = "private, no-store"
        return page
