"""Dates as people say them."""

from datetime import date

import pytest
from django.utils import timezone, translation
from hypothesis import given
from hypothesis import strategies as st

from patients.memories.when import When, read_when, shown

PAST = st.dates(min_value=date(1850, 1, 1), max_value=date(2025, 12, 31))


@pytest.mark.parametrize(
    ("said", "day"),
    [
        ("2003-02-14", "2003-02-14"),
        ("14.2.2003", "2003-02-14"),
        ("14-02-2003", "2003-02-14"),
        ("2/14/2003", "2003-02-14"),
        ("14/2/2003", "2003-02-14"),
        ("3/3/2003", "2003-03-03"),
        ("14 Feb 2003", "2003-02-14"),
        ("14th of February 2003", "2003-02-14"),
        ("  February   14,  2003 ", "2003-02-14"),
        ("Sept. 1st 2003", "2003-09-01"),
        ("29 Feb 2004", "2004-02-29"),
        ("ngày 14 tháng 2 năm 2003", "2003-02-14"),
    ],
)
def test_an_exact_day_needs_no_words(said: str, day: str) -> None:
    assert read_when(said) == When(day, "")


@pytest.mark.parametrize(
    ("said", "day"),
    [
        ("2003", "2003-07-01"),
        ("about 2003", "2003-07-01"),
        ("Feb 2003", "2003-02-15"),
        ("May 2003", "2003-05-15"),
        ("2/2003", "2003-02-15"),
        ("2003-02", "2003-02-15"),
        ("summer 2002", "2002-07-15"),
        ("the winter of 2003", "2003-01-15"),
        ("winter 2002/03", "2003-01-15"),
        ("early 2003", "2003-02-15"),
        ("2001 to 2003", "2002-07-01"),
        ("the 1990s", "1995-01-01"),
        ("tháng 2 năm 2003", "2003-02-15"),
        ("tháng giêng 2004", "2004-01-15"),
        ("tháng mười hai năm 2003", "2003-12-15"),
        ("mùa hè năm 2002", "2002-06-01"),
        ("khoảng năm 2003", "2003-07-01"),
        ("cuối năm 2003", "2003-11-15"),
    ],
)
def test_a_rough_date_keeps_its_words_and_sorts_by_its_middle(said: str, day: str) -> None:
    assert read_when(said) == When(day, said)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("sometime", "could not read"),
        ("", "could not read"),
        ("March", "could not read"),
        ("31.2.2003", "no such day"),
        ("29 Feb 2003", "no such day"),
        ("tháng 13 năm 2003", "no such day"),
        ("3/4/2003", "3 Apr 2003 or 4 Mar 2003"),
        ("31 Dec 1849", "no such day"),
        ("1849", "could not read"),
        ("winter 9999/00", "not come yet"),
        ("1 Jan 2190", "not come yet"),
        ("summer 2190", "not come yet"),
    ],
)
def test_what_cannot_be_read_is_said_plainly(said: str, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        read_when(said)


def test_this_year_is_never_in_the_future() -> None:
    today = timezone.localdate()
    assert read_when(str(today.year)) == When(min(date(today.year, 7, 1), today).isoformat(), str(today.year))


@given(PAST, st.sampled_from(["%Y-%m-%d", "%d.%m.%Y", "%d %b %Y", "%B %d, %Y", "%d tháng %m năm %Y"]))
def test_every_day_is_read_back(day: date, form: str) -> None:
    assert read_when(day.strftime(form).replace(str(day.year), f"{day.year:04d}")) == When(
        day.isoformat(), ""
    )


@given(PAST, PAST)
def test_rough_dates_sort_like_what_they_mean(one: date, other: date) -> None:
    earlier, later = sorted([one, other])
    assert read_when(f"{earlier:%b} {earlier.year}").day <= read_when(f"{later:%b} {later.year}").day
    assert read_when(str(earlier.year)).day <= read_when(str(later.year)).day


def outcome(text: str) -> When | str:
    try:
        return read_when(text)
    except ValueError as refusal:
        return str(refusal)


@given(st.one_of(st.text(max_size=60), st.from_regex(r"[0-9 ./a-z'\-]{1,20}", fullmatch=True)))
def test_any_text_is_a_day_that_was_or_a_sentence(text: str) -> None:
    found = outcome(text)
    if isinstance(found, str):
        assert found.endswith(".")
        return
    assert date(1850, 1, 1) <= date.fromisoformat(found.day) <= timezone.localdate()
    assert found.words in {"", " ".join(found.words.split())}
    assert read_when(found.field_value) == found


def test_a_day_is_shown_in_the_readers_language() -> None:
    assert shown("2003-02-14", "") == "14 Feb 2003"
    assert shown("2003-07-01", "about 2003") == "about 2003"
    assert shown("", "") == ""
    with translation.override("vi"):
        assert shown("2003-02-14", "") == "14 tháng 2, 2003"


@given(PAST, st.sampled_from(["en", "vi"]))
def test_what_is_shown_can_be_typed_back(day: date, language: str) -> None:
    with translation.override(language):
        assert read_when(shown(day.isoformat(), "")) == When(day.isoformat(), "")
