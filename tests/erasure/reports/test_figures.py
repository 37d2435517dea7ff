"""What the reports compute from numbers, without a database: hidden cells, bars, quantiles, weeks."""

from datetime import UTC, date, datetime, timedelta

import pytest
from django.utils import translation

from erasure.reports.counts import waits, withdrawals_by_week
from erasure.reports.figures import Figure, Row, Value, counted, quantile
from erasure.reports.spans import Period, Span, SpanForm, span_of

SIGNED = datetime(2026, 2, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(("people", "shown"), [(0, "0"), (1, "under 3"), (2, "under 3"), (3, "3")])
def test_a_number_of_one_or_two_people_is_hidden(people: int, shown: str) -> None:
    value = counted(people)
    assert str(value) == shown
    figure = Figure("key", "Title", "Note", ["People"], [Row("row", [value])])
    assert figure.csv() == f",People\r\nrow,{shown}\r\n"
    bar = figure.picture().groups[0].bars[0]
    assert (bar.text, bar.width) == (shown, Figure.WIDTH if people > 2 else 0)


def test_hours_of_two_people_are_hidden_and_those_of_a_room_are_not() -> None:
    assert str(Value(12.0, 2, "h")) == "under 3"
    assert str(Value(12.0, None, "h")) == "12 h"
    assert str(Value(None, None)) == "–"
    with translation.override("vi"):
        assert str(Value(2.25, 9, decimals=1)) == "2,2"
        assert str(Value(12.0, 1)) == "dưới 3"


def test_a_csv_file_has_no_formulas_and_an_empty_cell_for_no_value() -> None:
    figure = Figure(
        "key", "Title", "Note", ["A", "B"], [Row("=1+1", [Value(1.25, None, decimals=1), Value(None, 0)])]
    )
    assert figure.csv() == ",A,B\r\n'=1+1,1.2,\r\n"


def test_bars_are_in_proportion() -> None:
    rows = [Row("a", [counted(10), counted(4)]), Row("b", [counted(5), counted(0)])]
    picture = Figure("key", "Title", "Note", ["A", "B"], rows, bar_columns=2).picture()
    assert [bar.width for group in picture.groups for bar in group.bars] == [260, 104, 130, 0]
    tops = [bar.y for group in picture.groups for bar in group.bars]
    assert tops == sorted(set(tops))
    assert tops[-1] + 16 <= picture.height


@pytest.mark.parametrize(
    ("numbers", "share", "expected"),
    [
        ([], 0.5, None),
        ([7.0], 0.9, 7.0),
        ([4.0, 1.0], 0.5, 1.0),
        ([3.0, 1.0, 2.0], 0.5, 2.0),
        ([float(n) for n in range(1, 11)], 0.9, 9.0),
        ([float(n) for n in range(1, 12)], 0.9, 10.0),
    ],
)
def test_a_quantile_is_the_number_at_its_share(
    numbers: list[float], share: float, expected: float | None
) -> None:
    assert quantile(numbers, share) == expected


def test_waits_leave_out_what_has_no_beginning() -> None:
    pairs = [(SIGNED, SIGNED + timedelta(days=n)) for n in (1, 2, 9)]
    median, nine_of_ten, people = waits([*pairs, (None, SIGNED)])
    assert (median.shown_number, nine_of_ten.shown_number, people.shown_number) == (2.0, 9.0, 3)


def test_withdrawals_are_counted_by_week_of_the_cooling_off() -> None:
    days = [0, 6.9, 7, 13.9, 14, 40]
    rows = [(SIGNED, SIGNED + timedelta(days=day), 14 * 24.0) for day in days]
    assert withdrawals_by_week(rows) == ([2, 2], 2)
    assert withdrawals_by_week([(SIGNED, SIGNED, 0.0)]) == ([0], 1)
    assert withdrawals_by_week([(SIGNED, SIGNED + timedelta(days=8), 8.5 * 24)]) == ([0, 1], 0)


@pytest.mark.parametrize(
    ("period", "first", "last"),
    [
        (Period.THIS_MONTH, date(2028, 3, 1), date(2028, 3, 31)),
        (Period.LAST_MONTH, date(2028, 2, 1), date(2028, 2, 29)),
        (Period.THIS_YEAR, date(2028, 1, 1), date(2028, 12, 31)),
        (Period.LAST_YEAR, date(2027, 1, 1), date(2027, 12, 31)),
    ],
)
def test_a_period_has_its_first_and_last_day(period: str, first: date, last: date) -> None:
    assert span_of(period, date(2028, 3, 30)) == Span(first, last)


@pytest.mark.parametrize(
    ("since", "until", "wrong"),
    [
        ("2026-02-01", "2026-02-01", []),
        ("2026-02-02", "2026-02-01", ["until"]),
        ("", "2026-02-01", ["since"]),
        ("1026-02-01", "2026-02-01", ["since"]),
        ("2026-02-01", "9999-12-31", ["until"]),
        ("2021-02-01", "2026-02-01", ["until"]),
        ("yesterday", "2026-02-01", ["since"]),
    ],
)
def test_chosen_days_out_of_order_or_range_are_refused(since: str, until: str, wrong: list[str]) -> None:
    form = SpanForm({"period": "chosen", "since": since, "until": until})
    assert list(form.errors) == wrong
    if not wrong:
        assert form.span() == Span(date(2026, 2, 1), date(2026, 2, 1))


def test_a_span_ends_with_its_last_day_by_the_clinics_clocks() -> None:
    span = Span(date(2026, 2, 1), date(2026, 2, 28))
    assert span.end - span.start == timedelta(days=28)
