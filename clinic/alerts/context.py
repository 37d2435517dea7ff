"""The context processor that gives the base template its alerts."""

from typing import Any

from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from clinic.alerts.sources import alerts_for, joined_digests, sees_alerts


def alerts(request: HttpRequest) -> dict[str, Any]:
    """Return `has_alerts` (the page has a place for alerts), `alerts`, and `alerts_shown`, their digests.

    The last two are read from the database only when a template uses them.
    """
    user = getattr(request, "user", None)
    if not sees_alerts(user):
        return {"has_alerts": False}
    found = SimpleLazyObject(lambda: alerts_for(user, request.path))  # type: ignore[arg-type]
    shown = SimpleLazyObject(lambda: joined_digests(found))  # type: ignore[arg-type]
    return {"has_alerts": True, "alerts": found, "alerts_shown": shown}
