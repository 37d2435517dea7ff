"""Cross-Origin-Resource-Policy: no other site may load our responses into its own pages.

Neither Django nor django-csp has a setting for this header (Django 5.2). If a proxy set it,
installations without a proxy would not have it.
"""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponseBase


class ResourcePolicyMiddleware:
    """Sets Cross-Origin-Resource-Policy on every response."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        response.headers["Cross-Origin-Resource-Policy"] = "same-origin"
        return response
