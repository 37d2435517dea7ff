"""Alerts: notices that staff see on every page until they have acted. Other apps register their sources."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from django.utils.functional import Promise

from clinic.accounts.models import User


@dataclass(frozen=True)
class Alert:
    """A notice for staff that cannot wait. It contains no person's name.

    url, label: the link to the page where the reader can act. about: the path of a page that shows the same
    in full, on which the alert is left out.
    """

    title: str | Promise
    text: str | Promise
    url: str
    label: str | Promise
    about: str = ""

    @property
    def digest(self) -> str:
        """A short digest of the alert. A page sends it back to say that it shows the alert already."""
        content = f"{self.title}\t{self.text}\t{self.url}"
        return hashlib.sha256(content.encode()).hexdigest()[:16]


# A source returns the alerts that a user must see now.
Source = Callable[[User], Sequence[Alert]]
_sources: dict[str, Source] = {}


def register_alerts(name: str, source: Source) -> None:
    """Register a source of alerts, or replace the one of that name. Call it from AppConfig.ready."""
    _sources[name] = source


def sees_alerts(user: object) -> bool:
    """Return whether the pages of `user` have a place for alerts: only those of staff have one."""
    return isinstance(user, User) and user.is_staff_member


def alerts_for(user: User, path: str = "") -> list[Alert]:
    """Return the alerts for `user` now, without those that the page at `path` shows in full."""
    found = [alert for source in _sources.values() for alert in source(user)]
    return [alert for alert in found if not path or alert.about != path]


def joined_digests(alerts: Sequence[Alert]) -> str:
    """Return the digests of the alerts with spaces between, as a page sends them back in `?shown=`."""
    return " ".join(one.digest for one in alerts)
