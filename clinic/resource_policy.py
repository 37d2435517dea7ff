"""No other site may load what this house answers into its own pages. Django has no setting for that."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponseBase


class ResourcePolicyMiddleware:
    """Says Cross-Origin-Resource-Policy on every answer."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        response.headers["Cross-Origin-Resource-Policy"] = "same-origin"
        return response
