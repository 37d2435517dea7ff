"""What the house stands on and cannot reach: a person is told so in plain words, on a page that says 503."""

import logging
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from redis.exceptions import RedisError

log = logging.getLogger("lacuna.away")

RETRY_AFTER = 30  # seconds


class Away(OSError):
    """Something the house stands on does not answer, or refuses; the message says what, in a sentence."""


def redis_is_away(error: RedisError) -> str:
    """Say in a sentence that Redis is away. Its messages name host and port, never the password."""
    return f"Redis does not answer as LACUNA_REDIS says: {error}"


class AwayMiddleware:
    """Answers for a view that met something that is away."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """The page for `Away` and for Redis; None for any other error."""
        if not isinstance(error, Away | RedisError):
            return None
        log.error("%s", redis_is_away(error) if isinstance(error, RedisError) else error)
        page = render(request, "503.html", status=503)
        page["Retry-After"] = str(RETRY_AFTER)
        page["Cache-Control"] = "private, no-store"
        return page
