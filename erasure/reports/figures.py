"""Tables of numbers in which nobody can be recognized, and the bars that show them.

A number about fewer than `SMALLEST` people is shown as "under 3", on the page, in the picture and in the file
alike. Zero is shown as it is: it is about nobody. No table has a sum, because a sum minus the other rows
would give the hidden number away.
"""

import csv
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.formats import localize
from django.utils.functional import Promise
from django.utils.translation import gettext as _

SMALLEST = 3  # people
NOTHING = "–"  # shown where there is no number


@dataclass(frozen=True)
class Value:
    """One number of a table.

    number: None if there is nothing to count, such as the median of no times. people: how many people the
    number is about; None if it is not about people, such as the hours of a room. decimals: digits after the
    point. nothing: the text shown if `number` is None.
    """

    number: float | None
    people: int | None
    unit: str | Promise = ""
    decimals: int = 0
    nothing: str | Promise = NOTHING

    @property
    def is_hidden(self) -> bool:
        return self.people is not None and 0 < self.people < SMALLEST

    @property
    def shown_number(self) -> float | None:
        """The rounded number; None if it is hidden, or if there is none."""
        if self.is_hidden or self.number is None:
            return None
        return round(self.number, self.decimals) if self.decimals else round(self.number)

    def csv_cell(self) -> float | str:
        """Return the rounded number, or a text if it is hidden or missing."""
        if self.is_hidden:
            return str(self)
        if self.shown_number is None:
            return "" if self.nothing == NOTHING else str(self.nothing)
        return self.shown_number

    def __str__(self) -> str:
        if self.is_hidden:
            return _("under %(smallest)d") % {"smallest": SMALLEST}
        if self.shown_number is None:
            return str(self.nothing)
        return f"{localize(self.shown_number)} {self.unit}".strip()


def counted(people: int) -> Value:
    """Return the value of a count of people, or of things that belong to one person each."""
    return Value(people, people)


@dataclass(frozen=True)
class Row:
    label: str | Promise
    values: Sequence[Value]


@dataclass(frozen=True)
class Bar:
    """A bar of a picture. y, width: in units of its view box. text: the value, shown to the right of it."""

    y: int
    width: int
    text: str


@dataclass(frozen=True)
class Group:
    """The bars of one row. y: the baseline of the label, in units of the view box."""

    y: int
    label: str | Promise
    bars: Sequence[Bar]


@dataclass(frozen=True)
class Picture:
    """Horizontal bars, as templates/erasure/reports/_picture.html draws them."""

    height: int
    groups: Sequence[Group]


@dataclass(frozen=True)
class Figure:
    """A table and its picture.

    key: its name in URLs. title: what is counted. note: how it is counted. columns: the heads of the values.
    bar_columns: how many of the columns, from the first on, the picture shows as bars.
    """

    key: str
    title: str | Promise
    note: str | Promise
    columns: Sequence[str | Promise]
    rows: Sequence[Row]
    bar_columns: int = 1

    def lines(self) -> Sequence[tuple[str | Promise, Sequence[tuple[Value, str | Promise]]]]:
        """Return the rows of the table: the label, and each value with the head of its column."""
        return [(row.label, list(zip(row.values, self.columns, strict=True))) for row in self.rows]

    # In units of the view box, which is 350 wide. WIDTH: the longest bar. Its text needs the rest.
    WIDTH = 260
    # Heights: a line with a label, a bar, the gap between two bars, and the gap between two rows.
    LABEL, BAR, BAR_GAP, GAP = 20, 16, 4, 12
    LABEL_DESCENT = 6  # from the baseline of a label down to the first bar

    def picture(self) -> Picture:
        """Return the bars. The widest has the width WIDTH, the others are in proportion."""
        numbers = [value.shown_number or 0.0 for row in self.rows for value in row.values[: self.bar_columns]]
        highest = max(numbers, default=0.0) or 1.0
        groups, y = [], 0
        for row in self.rows:
            label_y = y + self.LABEL - self.LABEL_DESCENT
            y += self.LABEL
            bars = []
            for value in row.values[: self.bar_columns]:
                bars.append(Bar(y, round(self.WIDTH * (value.shown_number or 0.0) / highest), str(value)))
                y += self.BAR + self.BAR_GAP
            groups.append(Group(label_y, row.label, bars))
            y += self.GAP
        return Picture(y, groups)

    def csv(self) -> str:
        """Return the table as CSV: labels in the reader's language, numbers with a decimal point.

        A hidden number is its text, "under 3". A number that is missing is empty, or the text of `nothing`.
        """
        file = io.StringIO()
        writer = csv.writer(file)
        writer.writerow(["", *(str(one) for one in self.columns)])
        for row in self.rows:
            writer.writerow([as_text(str(row.label)), *(value.csv_cell() for value in row.values)])
        return file.getvalue()


def as_text(label: str) -> str:
    """Return a label for a cell. An apostrophe keeps spreadsheets from reading it as a formula."""
    return f"'{label}" if label.startswith(("=", "+", "-", "@")) else label


def quantile(numbers: Sequence[float], share: float) -> float | None:
    """Return the smallest of `numbers` that at least `share` of them do not exceed; None if there are none.

    share: 0.5 gives the lower median. The result is one of the numbers, never a mean of two.
    """
    if not numbers:
        return None
    ordered = sorted(numbers)
    position = max(math.ceil(share * len(ordered)), 1)
    return ordered[position - 1]
