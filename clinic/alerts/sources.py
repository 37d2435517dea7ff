"""What a member of staff must see on every page, whatever they do. Other apps register sources of it."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from django.utils.functional import Promise

from clinic.accounts.models import User


@dataclass(frozen=True)
class Alert:
    """Something that cannot wait. It names no person. url, label: the link to where `user` can act.

    about: path of the page that shows the same at length; there the alert is left out.
    """

    title: str | Promise
    text: str | Promise
    url: str
    label: str | Promise
    about: str = ""


Source = Callable[[User], Sequence[Alert]]
_sources: dict[str, Source] = {}


def register_alerts(name: str, source: Source) -> None:
    """Register a source of alerts, or replace the one of that name. Call it from AppConfig.ready."""
    _sources[name] = source


def sees_alerts(user: object) -> bool:
    """Return whether pages of `user` have a place for alerts: those of staff have."""
    return isinstance(user, User) and user.is_staff_member


def alerts_for(user: User, path: str = "") -> list[Alert]:
    """Return what concerns `user` now, without what the page at `path` says itself."""
    found = [alert for source in _sources.values() for alert in source(user)]
    return [alert for alert in found if not path or alert.about != path]


def digest_of(alerts: Sequence[Alert]) -> str:
    """Return a short digest of the alerts, by which a page says what it shows."""
    text = "\n".join(f"{one.title}\t{one.text}\t{one.url}" for one in alerts)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
