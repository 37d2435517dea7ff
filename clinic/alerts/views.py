"""The fragment with which a page keeps its alerts current."""

from urllib.parse import urlsplit

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from clinic.alerts.sources import alerts_for, joined_digests
from clinic.http.requests import request_user


@require_safe
@never_cache
def alerts(request: HttpRequest) -> HttpResponse:
    """Return the alerts, or 204 if the page shows exactly these already (`?shown=`, their digests).

    If some are new, only these are announced to screen readers.
    """
    page_url = request.htmx.current_url if getattr(request, "htmx", None) else None  # type: ignore[attr-defined]
    found = alerts_for(request_user(request), _path_of(page_url or ""))
    already, shown = request.GET.get("shown"), joined_digests(found)
    if already == shown:
        return HttpResponse(status=204)
    context = {"alerts": found, "alerts_shown": shown, "already": (already or "").split()}
    return render(request, "clinic/alerts/_list.html", context)


def _path_of(url: str) -> str:
    """Return the path of a URL that a browser sent, or "" if it cannot be read."""
    try:
        return urlsplit(url).path
    except ValueError:
        return ""
