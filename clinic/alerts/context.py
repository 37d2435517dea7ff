"""The context processor that gives the base template its alerts."""

from typing import Any

from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from clinic.alerts.sources import alerts_for, digest_of, sees_alerts


def alerts(request: HttpRequest) -> dict[str, Any]:
    """Return `has_alerts` (the page has a place for them), `alerts` and their digest, read when used."""
    user = getattr(request, "user", None)
    if not sees_alerts(user):
        return {"has_alerts": False}
    found = SimpleLazyObject(lambda: alerts_for(user, request.path))  # type: ignore[arg-type]
    digest = SimpleLazyObject(lambda: digest_of(found))  # type: ignore[arg-type]
    return {"has_alerts": True, "alerts": found, "alerts_digest": digest}
