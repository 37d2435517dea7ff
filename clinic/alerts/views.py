"""The fragment with which a page keeps its alerts current."""

from urllib.parse import urlsplit

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from clinic.alerts.sources import alerts_for, digest_of
from clinic.http.requests import request_user


@require_safe
@never_cache
def alerts(request: HttpRequest) -> HttpResponse:
    """Return the alerts, or 204 if the page shows them already (`?shown=`): nothing is announced twice."""
    asked_from = request.htmx.current_url if getattr(request, "htmx", None) else None  # type: ignore[attr-defined]
    found = alerts_for(request_user(request), _path_of(asked_from or ""))
    digest = digest_of(found)
    if request.GET.get("shown") == digest:
        return HttpResponse(status=204)
    return render(request, "clinic/alerts/_list.html", {"alerts": found, "alerts_digest": digest})


def _path_of(url: str) -> str:
    """Return the path of a URL that a browser sent, or "" if it cannot be read."""
    try:
        return urlsplit(url).path
    except ValueError:
        return ""
