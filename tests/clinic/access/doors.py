"""Lists every URL of the project from Django's resolver, with a middleware that replaces the views.

A *door* is one URL pattern.
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import URLPattern, URLResolver, get_resolver

OPEN = 299  # status of a request that passed every check; no view returns it


class AnswerWithoutView:
    """Middleware that answers OPEN instead of calling the view. Put it last, after all access checks."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)

    def process_view(
        self, request: HttpRequest, view: Callable[..., Any], args: Any, kwargs: dict[str, Any]
    ) -> HttpResponse:
        return HttpResponse(status=OPEN)


def empty_refusal(request: HttpRequest, exception: Exception, status: int) -> HttpResponse:
    """A handler403 or handler404 that renders no page: the page's navigation would check access again."""
    return HttpResponse(status=status)


class Door(NamedTuple):
    """A URL pattern: its name with namespace, the names of its arguments, and its view."""

    name: str
    keywords: tuple[str, ...]
    view: Callable[..., Any]


def doors(resolver: URLResolver | None = None, namespace: str = "") -> Iterator[Door]:
    """Yield every URL pattern of a resolver, by default of the whole project."""
    for pattern in (resolver or get_resolver()).url_patterns:
        if isinstance(pattern, URLResolver):
            inner = f"{namespace}{pattern.namespace}:" if pattern.namespace else namespace
            yield from doors(pattern, inner)
        elif isinstance(pattern, URLPattern):
            keywords = tuple(pattern.pattern.regex.groupindex)
            yield Door(f"{namespace}{pattern.name or ''}", keywords, pattern.callback)
