"""The registry of rows that are compared with the log whenever the log is verified.

A row that repeats what an entry says can be changed without the log showing it. So each package registers a
function that compares its rows with the entries (its module comparisons.py, clinic/registration.py).
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from uuid import UUID

from django.db.models import QuerySet

from clinic.audit.models import Entry
from clinic.audit.proofs import head_size

# `compare(size)` returns an English sentence for each row that differs from what the first `size` entries
# say. It only reads.
Compare = Callable[[int], Iterable[str]]
Said = Mapping[str, object]

COMPARISONS: dict[str, Compare] = {}

# A row and its entry are written in one transaction, but read by two queries, with writers in between.
# So a difference counts only if it is still there after reading both again so many times.
ATTEMPTS = 3


def register(rows: str, compare: Compare) -> None:
    """Add a comparison. rows: what is compared, for example "certificates"."""
    COMPARISONS[rows] = compare


def entries_of(size: int, *actions: str) -> QuerySet[Entry]:
    """Return the entries with one of `actions` among the first `size` of the log, in order."""
    return Entry.objects.filter(index__gte=0, index__lt=size, action__in=actions).order_by("index")


def is_id(text: str) -> bool:
    """Return whether `text` is a UUID, as all ids of rows are. A tampered entry may have any text as id."""
    try:
        return str(UUID(text)) == text
    except ValueError:
        return False


@dataclass(frozen=True)
class Rows:
    """Compares the rows of one kind with the entries that repeat what they say. An instance is a `Compare`.

    noun: the first part of the entries' subjects, "<noun>:<id>". actions: the actions of the entries.
    stored: returns the values of the rows by id, of all rows (None) or of one id. logged: returns the values
    that the entries about one row give it; it gets them in order, and may raise KeyError, TypeError or
    ValueError for an entry that was changed. is_logged: returns whether a row must have an entry.
    """

    noun: str
    actions: tuple[str, ...]
    stored: Callable[[str | None], Mapping[str, Said]]
    logged: Callable[[list[Entry]], Said]
    is_logged: Callable[[Said], bool] = lambda said: True

    def __call__(self, size: int) -> Iterator[str]:
        stored, entries = self.stored(None), self._entries(entries_of(size, *self.actions))
        for row_id in sorted(stored.keys() | entries.keys()):
            found = self._difference(row_id, stored.get(row_id), entries.get(row_id, []))
            for _attempt in range(ATTEMPTS):
                found = found and self._read_again(row_id)
            if found:
                yield found

    def _read_again(self, row_id: str) -> str:
        """Read one row and its entries again, and return the sentence about it; "" without a difference."""
        stored = self.stored(row_id).get(row_id) if is_id(row_id) else None
        entries = entries_of(head_size(), *self.actions).filter(subject=f"{self.noun}:{row_id}")
        return self._difference(row_id, stored, list(entries))

    def _entries(self, found: Iterable[Entry]) -> dict[str, list[Entry]]:
        """Return the entries about rows of this kind, by the row's id."""
        grouped: dict[str, list[Entry]] = {}
        for entry in found:
            noun, _colon, row_id = entry.subject.partition(":")
            if noun == self.noun:
                grouped.setdefault(row_id, []).append(entry)
        return grouped

    def _difference(self, row_id: str, stored: Said | None, entries: list[Entry]) -> str:
        """Return the sentence about a row that differs from the log; "" if it does not."""
        name = f"{self.noun.capitalize()} {row_id}"
        if not entries:
            unsaid = stored is not None and self.is_logged(stored)
            return f"{name}: the log says nothing of it." if unsaid else ""
        last = entries[-1].index
        if stored is None:
            return f"{name}: entry {last} speaks of it, and it is no longer there."
        try:
            logged = self.logged(entries)
        except (KeyError, TypeError, ValueError, AttributeError):
            return f"{name}: what entry {last} says of it cannot be read."
        other = sorted(key for key in logged if logged[key] != stored.get(key))
        return f"{name} is not as the log says (entry {last}): {', '.join(other)}." if other else ""
