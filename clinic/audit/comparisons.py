"""The registry of rows that are compared with the log whenever the log is verified.

A row that repeats what an entry says can be changed without the log showing it. So each package registers a
function that compares its rows with the entries (its module comparisons.py, clinic/registration.py).
"""

from collections.abc import Callable, Iterable

from django.db.models import QuerySet

from clinic.audit.models import Entry

# `compare(size)` returns an English sentence for each row that differs from what the first `size` entries
# say. It changes nothing.
Compare = Callable[[int], Iterable[str]]

COMPARISONS: dict[str, Compare] = {}


def register(rows: str, compare: Compare) -> None:
    """Add a comparison. rows: what is compared, for example "certificates"."""
    COMPARISONS[rows] = compare


def entries_of(size: int, *actions: str) -> QuerySet[Entry]:
    """Return the entries with one of `actions` among the first `size` of the log, in order."""
    return Entry.objects.filter(index__gte=0, index__lt=size, action__in=actions).order_by("index")
