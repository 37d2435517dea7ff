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
    ("calendar", _("Calendar")),
    ("patients:requests", _("Requests")),
    ("patients:waitlist", _("Waitlist")),
    ("patients:inbox", _("Messages")),
    ("patients:cases", _("Files")),
    ("patients:repeats", _("Exceptions")),
    ("audit", _("Audit")),
    ("people", _("People")),
    ("places", _("Rooms and kits")),
    ("patients:appointment-templates", _("Templates")),
    ("hours", _("Hours")),
    ("my-hours", _("My hours")),
    ("settings", _("Settings")),
    ("erasure:reports", _("Reports")),
    ("erasure:backups", _("Backups")),
    ("setup", _("Set-up")),
    ("mails", _("Mail")),
    ("outbox", _("Outbox")),
    ("patients:portal", _("My file")),
)
# Where somebody has more than MOST_BESIDE links, these stand below headings; all others are what a day needs.
MOST_BESIDE = 9
GROUPS: tuple[tuple[str | Promise, frozenset[str]], ...] = (
    (
        _("Planning"),
        frozenset({"people", "places", "patients:appointment-templates", "hours", "my-hours"}),
    ),
    (_("Records"), frozenset({"audit", "erasure:reports", "mails", "outbox"})),
    (_("Running the clinic"), frozenset({"settings", "setup", "erasure:backups"})),
)


@dataclass(frozen=True)
class Item:
    """One link of the header. current: the page shown is this one or lies below it."""

    label: str | Promise
    url: str
    current: bool


@dataclass(frozen=True)
class Group:
    """Links below a heading; without a heading, one link. current: one of them is."""

    label: str | Promise
    items: tuple[Item, ...]

    @property
    def current(self) -> bool:
        return any(item.current for item in self.items)


def grouped(items: dict[str, Item]) -> list[Group]:
    """Return links by their page's URL name as groups: those without a heading first, then those of GROUPS.

    A group of one link has no heading.
    """
    below = {name for _label, names in GROUPS for name in names}
    beside = [Group("", (item,)) for name, item in items.items() if name not in below]
    groups = [
        (label, tuple(item for name, item in items.items() if name in names)) for label, names in GROUPS
    ]
    return beside + [Group(label if len(found) > 1 else "", found) for label, found in groups if found]


def navigation(request: HttpRequest) -> dict[str, Any]:
    """Context processor: return `nav` (links) and `role_name` (shown after the user's name).

    `nav_groups` has the same links in groups if they are many, and is empty if not. A user with several roles
    is shown the first of them, in the order of `Role`.
    """
    user = getattr(request, "user", None)
    context: dict[str, Any] = {"nav": []}
    if not isinstance(user, User):
        return context
    items: dict[str, Item] = {}
    for name, label in LINKS:
        if name == "outbox" and not settings.LACUNA_DEMO:
            continue  # only the demonstration has this page
        if not allowed(user, name, {}, "GET").allowed:
            continue
        try:
            url = reverse(name)
        except NoReverseMatch:  # a page of an app that is not installed
            continue
        items[name] = Item(label, url, request.path.startswith(url))
    held_roles = [role for role in Role if role in user.roles]
    groups = grouped(items) if len(items) > MOST_BESIDE else []
    context |= {"nav": list(items.values()), "nav_groups": groups}
    return {**context, "role_name": held_roles[0].label if held_roles else ""}
