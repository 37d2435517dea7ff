"""Pages of a list that begin after a row and not at a count, so that no page reads the rows before it.

A list has one order: by a time and then by id. The link to the next page names the last row of this one.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar
from uuid import UUID

from django.db.models import Model, Q, QuerySet
from django.utils.formats import number_format
from django.utils.translation import gettext as _

PAGE_SIZE = 25
Row = TypeVar("Row", bound=Model)


@dataclass(frozen=True)
class Start:
    """Where a page begins: after the row with this time and id; `backwards`: it ends before that row."""

    at: datetime
    pk: UUID
    backwards: bool = False


@dataclass(frozen=True)
class Page(Generic[Row]):
    """One page of a list. before, after: the ids for the links to its neighbours; None for none."""

    rows: list[Row]
    before: UUID | None = None
    after: UUID | None = None


@dataclass(frozen=True)
class Count:
    """How many rows a list has. more: it has more than `n`."""

    n: int
    more: bool = False

    @property
    def words(self) -> str:
        """The number in words, such as "12" or "more than 1,000"."""
        number = number_format(self.n, use_l10n=True, force_grouping=True)
        return _("more than %(number)s") % {"number": number} if self.more else number


def read_start(query: Mapping[str, str], rows: "QuerySet[Any]", field: str) -> Start | None:
    """Return where the page begins that `?after=<id>` or `?before=<id>` asks for; None for the first page.

    rows: where the row of that id is looked up. field: the time by which the list is ordered.
    """
    for name, backwards in (("after", False), ("before", True)):
        try:
            pk = UUID(query.get(name, ""))
        except ValueError:
            continue
        if at := rows.filter(pk=pk).values_list(field, flat=True).first():
            return Start(at, pk, backwards)
    return None


def take(
    parts: "Sequence[QuerySet[Row]]", field: str, start: Start | None, most: int, *, newest_first: bool = True
) -> list[Row]:
    """Return the first `most` rows of several querysets together, each row once. One query for each part.

    With an index on (the part's condition, field DESC, id), each query reads no row that it does not return.
    Read backwards, they come in the opposite order.
    """
    descending = newest_first != bool(start and start.backwards)
    rows = {row.pk: row for part in parts for row in _ordered(part, field, start, descending)[:most]}
    ordered = sorted(rows.values(), key=lambda row: (getattr(row, field), -row.pk.int), reverse=descending)
    return ordered[:most]


def _ordered(part: "QuerySet[Row]", field: str, start: Start | None, descending: bool) -> "QuerySet[Row]":
    if start is not None:
        at, pk = start.at, start.pk
        beyond = (
            Q(**{f"{field}__lt": at}) | Q(pk__gt=pk)
            if descending
            else Q(**{f"{field}__gt": at}) | Q(pk__lt=pk)
        )
        # The first condition alone lets the index begin there.
        part = part.filter(beyond, **{f"{field}__lte" if descending else f"{field}__gte": at})
    return part.order_by(f"-{field}", "pk") if descending else part.order_by(field, "-pk")


def page_of(
    fetch: Callable[[Start | None, int], list[Row]], start: Start | None, size: int = PAGE_SIZE
) -> Page[Row]:
    """Return one page. fetch: returns at most so many rows from a start on, in its direction."""
    rows = fetch(start, size + 1)
    backwards = bool(start and start.backwards)
    if backwards and len(rows) <= size:  # the beginning is reached: show a full first page
        return page_of(fetch, None, size)
    beyond = len(rows) > size
    rows = rows[:size][::-1] if backwards else rows[:size]
    if not rows:
        return Page([])
    return Page(
        rows,
        before=rows[0].pk if backwards or start else None,
        after=rows[-1].pk if backwards or beyond else None,
    )


def count_up_to(parts: "Sequence[QuerySet[Any]]", most: int) -> Count:
    """Return how many rows several querysets have together, counted up to `most`. One query for each."""
    found = {pk for part in parts for pk in part.order_by().values_list("pk", flat=True)[: most + 1]}
    return Count(min(len(found), most), len(found) > most)
