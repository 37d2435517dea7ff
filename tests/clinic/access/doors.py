"""Every URL of the house as the resolver knows it, and a middleware that stops before the view."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import URLPattern, URLResolver, get_resolver

OPEN = 299  # no view of the house answers so: the request came through every check


class Open:
    """Answers in the place of the view. Added last, so that whatever decides has decided."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)

    def process_view(
        self, request: HttpRequest, view: Callable[..., Any], args: Any, kwargs: dict[str, Any]
    ) -> HttpResponse:
        return HttpResponse(status=OPEN)


def refused(request: HttpRequest, exception: Exception, status: int) -> HttpResponse:
    """Answers in the place of a refusal's page, whose navigation asks the table eight times more."""
    return HttpResponse(status=status)


class Door(NamedTuple):
    """A URL: its name with namespace, the keywords it takes, and the view behind it."""

    name: str
    keywords: tuple[str, ...]
    view: Callable[..., Any]


def doors(resolver: URLResolver | None = None, namespace: str = "") -> Iterator[Door]:
    """Walk the resolver."""
    for pattern in (resolver or get_resolver()).url_patterns:
        if isinstance(pattern, URLResolver):
            inner = f"{namespace}{pattern.namespace}:" if pattern.namespace else namespace
            yield from doors(pattern, inner)
        elif isinstance(pattern, URLPattern):
            keywords = tuple(pattern.pattern.regex.groupindex)
            yield Door(f"{namespace}{pattern.name or ''}", keywords, pattern.callback)
