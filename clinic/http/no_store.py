"""Cache-Control: no browser and no proxy keeps a page, unless its view says otherwise.

Also pages of errors, the audit log and lists of people: what is shown in a signed-in session must be gone
when it has ended.
"""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponseBase


class NoStoreMiddleware:
    """Sets `Cache-Control: private, no-store` on every response without that header.

    In MIDDLEWARE it comes before WhiteNoise, which sets the header of static files.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        response.headers.setdefault("Cache-Control", "private, no-store")
        return response
