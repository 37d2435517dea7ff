"""The basis of an edit: keyed hashes of the values that the page showed, by which later changes are noticed.

A page with a form carries a `Basis`. When the form is posted, `Basis.outcome` compares three things for each
value: what was stored when the page was made, what was posted, and what is stored now.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import Enum

from clinic.keyed_digests import keyed_digest, keyed_digests

FIELD = "based_on"
SALT = "clinic.edits.basis"
MINE, CURRENT = "mine", "now"  # in a conflict: write the posted value, or keep the stored one
DIGITS = 20  # hexadecimal digits of each hash
MAX_LENGTH = 20_000  # characters; a longer posted basis is ignored. The longest of our forms has under 2,000
MARK = re.compile(rf"([\w-]{{1,60}}):([0-9a-f]{{{DIGITS}}}):([0-9a-f]{{{DIGITS}}})(!?)", re.ASCII)


class Outcome(Enum):
    """What is done with one posted value."""

    WRITE = "write"  # the posted value is written
    LEAVE = "leave"  # the stored value stays
    CONFLICT = "conflict"  # both were changed, so the user has to choose


@dataclass(frozen=True)
class Mark:
    """One value at the time the page was made.

    shown: hash of the value as the page showed it. state: hash of all that writing the value would replace.
    disputed: the page showed a conflict, so that the posted value is written only with the answer MINE.
    """

    shown: str
    state: str
    disputed: bool = False


class Basis:
    """The stored values of one object for one form, by the names of its fields.

    about: names the object and the form. It is part of each hash, so that the basis of another form does not
    match. shown: each value as text, as a page shows it. states: what writing a value would replace, if that
    is more than the page shows.
    """

    def __init__(self, about: str, shown: Mapping[str, str], states: Mapping[str, str] | None = None) -> None:
        self.about = about
        self.shown = dict(shown)
        self.states = {**self.shown, **(states or {})}

    def _value(self, kind: str, name: str, text: str) -> str:
        """Return the text that is hashed. The lengths tell ("a", "bc") from ("ab", "c")."""
        return "".join(f"{len(part)}:{part}" for part in (kind, self.about, name, text))

    def _hash(self, kind: str, name: str, text: str) -> str:
        return keyed_digest(SALT, self._value(kind, name, text))[:DIGITS]

    def _matches(self, mark: str, kind: str, name: str, text: str) -> bool:
        return any(mark == found[:DIGITS] for found in keyed_digests(SALT, self._value(kind, name, text)))

    def serialize(self, disputed: Collection[str] = ()) -> str:
        """Return the basis as text for a page. disputed: the values that the page shows as conflicts."""
        return " ".join(
            f"{name}:{self._hash('shown', name, text)}:{self._hash('state', name, self.states[name])}"
            + ("!" if name in disputed else "")
            for name, text in self.shown.items()
        )

    def was_shown(self, name: str, text: str, posted: Mapping[str, Mark]) -> bool:
        """Return whether the page that `posted` came from showed `text` for this value."""
        return name in posted and self._matches(posted[name].shown, "shown", name, text)

    def outcome(self, name: str, sent: str, posted: Mapping[str, Mark], answer: str = "") -> Outcome:
        """Return what is done with one posted value.

        sent: the posted value as text. posted: the marks of the posted basis (`read_basis`). answer: MINE or
        CURRENT if the user has chosen, else "". Without a mark every difference is a conflict.
        """
        same_as_stored = sent == self.shown[name]
        mark = posted.get(name)
        if mark is None:
            return Outcome.LEAVE if same_as_stored else Outcome.CONFLICT
        changed_since = not self._matches(mark.state, "state", name, self.states[name])
        if mark.disputed:
            if not changed_since and answer == CURRENT:
                return Outcome.LEAVE
            if not changed_since and answer == MINE:
                return Outcome.WRITE
            return Outcome.LEAVE if same_as_stored else Outcome.CONFLICT
        if self.was_shown(name, sent, posted):
            return Outcome.LEAVE
        if not changed_since:
            return Outcome.WRITE
        return Outcome.LEAVE if same_as_stored else Outcome.CONFLICT


def read_basis(text: str) -> dict[str, Mark]:
    """Return the marks in a posted basis, by field name. Parts that cannot be read are left out."""
    if len(text) > MAX_LENGTH:
        return {}
    found = (MARK.fullmatch(part) for part in text.split(" "))
    return {
        match[1]: Mark(shown=match[2], state=match[3], disputed=bool(match[4])) for match in found if match
    }
