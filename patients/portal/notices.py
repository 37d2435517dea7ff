"""Notices at the top of the patient's portal. Other apps register functions that return them."""

from collections.abc import Callable
from dataclasses import dataclass

from clinic.accounts.models import User


@dataclass(frozen=True)
class Notice:
    """Something that waits for the patient. url, label: the link to the page where they act."""

    text: str
    url: str
    label: str


NoticeSource = Callable[[User], Notice | None]
_sources: dict[str, NoticeSource] = {}


def register_notice(name: str, source: NoticeSource) -> None:
    """Register a source of notices, or replace the one of that name. Call it from AppConfig.ready."""
    _sources[name] = source


def notices_for(patient: User) -> list[Notice]:
    """Return all notices for a patient, in the order in which their sources were registered."""
    return [notice for source in _sources.values() if (notice := source(patient)) is not None]
