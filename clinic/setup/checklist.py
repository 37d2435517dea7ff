"""The checklist of an installation: what is missing before a night can be booked, and what is missing again.

Each package states its own lines in setup_lines.py, because it knows what it needs.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from django.utils.functional import Promise


@dataclass(frozen=True)
class Line:
    """One thing that an installation needs. key: its name in this list, for tests and links.

    title: what it is. text: the present state, and why it matters. url, label: the link to the page where it
    is done; without a link it is done on the server, and the text says how. needed: no night can be booked
    without it.
    """

    key: str
    title: str | Promise
    text: str | Promise
    done: bool
    url: str = ""
    label: str | Promise = ""
    needed: bool = False


Source = Callable[[], Sequence[Line]]
_sources: dict[str, Source] = {}


def register_lines(name: str, source: Source) -> None:
    """Register a source of lines, or replace the one of that name. Call it in a package's setup_lines.py."""
    _sources[name] = source


def lines() -> list[Line]:
    """Return all lines, in the order of the packages; those that a night needs first."""
    found = [line for source in _sources.values() for line in source()]
    return sorted(found, key=lambda line: not line.needed)


def lacks_something() -> bool:
    """Return whether something is missing that a night needs."""
    return any(line.needed and not line.done for line in lines())
