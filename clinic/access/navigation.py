"""What stands in the header: only where this person may go."""

from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from clinic.access.policy import allowed
from clinic.accounts.models import Role, User

PLACES: tuple[tuple[str, str | Promise], ...] = (
    ("today", _("Today")),
    ("patients:requests", _("Requests")),
    ("patients:cases", _("Files")),
    ("audit", _("Audit")),
    ("people", _("People")),
    ("erasure:backups", _("Backups")),
    ("outbox", _("Outbox")),
    ("patients:portal", _("My file")),
)


@dataclass(frozen=True)
class Item:
    """One link of the header."""

    label: str | Promise
    url: str
    current: bool


def navigation(request: HttpRequest) -> dict[str, Any]:
    """Context for every page: `nav`, `role_name` behind the person's name, and the clinic's telephone."""
    user = getattr(request, "user", None)
    context = {"nav": [], "clinic_phone": settings.LACUNA_CLINIC_PHONE}
    if not isinstance(user, User):
        return context
    items = []
    for name, label in PLACES:
        if not allowed(user, name, {}, "GET").allowed:
            continue
        try:
            url = reverse(name)
        except NoReverseMatch:  # a place of a room that is not installed
            continue
        items.append(Item(label, url, request.path.startswith(url)))
    held = [role for role in Role if role in user.roles]
    return {**context, "nav": items, "role_name": held[0].label if held else ""}
