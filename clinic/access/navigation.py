"""The navigation links of the page header: only pages that the user may open."""

from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from clinic.access.policy import allowed
from clinic.accounts.models import Role, User

LINKS: tuple[tuple[str, str | Promise], ...] = (
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
    """One link of the header. current: the page shown is this one or lies below it."""

    label: str | Promise
    url: str
    current: bool


def navigation(request: HttpRequest) -> dict[str, Any]:
    """Context processor: return `nav` (links), `role_name` (shown after the user's name) and `clinic_phone`.

    A user with several roles is shown the first of them, in the order of `Role`.
    """
    user = getattr(request, "user", None)
    context = {"nav": [], "clinic_phone": settings.LACUNA_CLINIC_PHONE}
    if not isinstance(user, User):
        return context
    items = []
    for name, label in LINKS:
        if not allowed(user, name, {}, "GET").allowed:
            continue
        try:
            url = reverse(name)
        except NoReverseMatch:  # a page of an app that is not installed
            continue
        items.append(Item(label, url, request.path.startswith(url)))
    held_roles = [role for role in Role if role in user.roles]
    return {**context, "nav": items, "role_name": held_roles[0].label if held_roles else ""}
