"""The registry of what is held about a person. Each package registers its sections in its personal_data.py.

`sections_of` returns all of it, for the archive that a patient can ask for (patients/archives/everything.py).
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import TypeAlias

from django.utils.functional import Promise

from clinic.accounts.models import User

Words: TypeAlias = str | Promise
# The types that the archive can write, for people and for programs. Times are aware.
Value: TypeAlias = str | Promise | int | bool | date | datetime


@dataclass(frozen=True)
class HeldFile:
    """A file that is held. extension: with its dot. chunks: returns its bytes in parts."""

    extension: str
    chunks: Callable[[], Iterable[bytes]]


@dataclass(frozen=True)
class Record:
    """One thing that is known: a heading, labelled values, and files."""

    title: Words
    values: Sequence[tuple[Words, Value]] = ()
    files: Sequence[HeldFile] = ()


@dataclass(frozen=True)
class Section:
    """The records of one kind."""

    title: Words
    records: Sequence[Record] = field(default_factory=list)


def make_record(title: Words, *values: tuple[Words, Value | None], files: Sequence[HeldFile] = ()) -> Record:
    """Return a record without the values that are None or empty."""
    return Record(title, [(label, value) for label, value in values if value not in (None, "")], files)


Finder: TypeAlias = Callable[[User], Iterable[Record]]

_sections: dict[int, tuple[Words, Finder]] = {}


def register_section(position: int, title: Words) -> Callable[[Finder], Finder]:
    """Return a decorator for a function that returns what is held about a person; it registers the function.

    position: sections are sorted by it. Call it at import time of a package's personal_data.py.
    Errors: ValueError if another section has this position.
    """

    def register(find: Finder) -> Finder:
        if position in _sections:
            raise ValueError(f"two sections of personal data have the position {position}")
        _sections[position] = title, find
        return find

    return register


def sections_of(person: User) -> list[Section]:
    """Return everything that is held about a person, without empty sections."""
    found = (Section(title, list(find(person))) for _position, (title, find) in sorted(_sections.items()))
    return [section for section in found if section.records]
