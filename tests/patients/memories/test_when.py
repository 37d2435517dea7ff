"""Reading dates as people write them, exact or rough."""

from datetime import UTC, date, datetime, timedelta

import pytest
from django.utils import timezone, translation
from django.utils.formats import date_format
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
        ("14 tháng hai năm 2003", "2003-02-14"),
        ("14 tháng mười hai năm 2003", "2003-12-14"),
        ("ngày 5/6/2003", "2003-06-05"),
        ("5/6 năm 2003", "2003-06-05"),
        ("14-Feb-2003", "2003-02-14"),
        ("14 Feb 03", "2003-02-14"),
        ("Feb 14, '99", "1999-02-14"),
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
        ("giữa năm 2003", "2003-07-01"),
        ("mid-2003", "2003-07-01"),
        ("the end of summer 2002", "2002-07-15"),
        ("the 90s", "1995-01-01"),
        ("the '90s", "1995-01-01"),
        ("the nineties", "1995-01-01"),
        ("early 90s", "1991-07-01"),
        ("the late 1990s", "1998-07-01"),
        ("the 2000s", "2005-01-01"),
        ("những năm 90", "1995-01-01"),
        ("những năm 1990", "1995-01-01"),
        ("đầu những năm 90", "1991-07-01"),
        ("cuối thập niên 80", "1988-07-01"),
        ("summer '03", "2003-07-15"),
        ("summer 03", "2003-07-15"),
        ("Feb 99", "1999-02-15"),
        ("năm 98", "1998-07-01"),
        ("Friday 14 Feb 2003", "2003-02-14"),
        ("the evening of Feb 14, 2003", "2003-02-14"),
        ("tối ngày 14 tháng 2 năm 2003", "2003-02-14"),
        ("thang 2 nam 2003", "2003-02-15"),
        ("mua he 2003", "2003-06-01"),
    ],
)
def test_a_rough_date_keeps_its_words_and_sorts_by_its_middle(said: str, day: str) -> None:
    assert read_when(said) == When(day, said)


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ("sometime", "could not read"),
        ("", "could not read"),
        ("March", "Which year was that.*“March 2004”"),
        ("summer", "Which year was that.*“summer 2004”"),
        ("Last summer", "Which year was that.*“summer 2004”"),
        ("Feb 14", "Which year was that.*“Feb 14 2004”"),
        ("29 Feb", "Which year was that.*“29 Feb 2004”"),
        ("Christmas", "Which year was that.*“Christmas 2004”"),
        ("mùa hè", "Which year was that.*“mùa hè 2004”"),
        ("mùa hè vừa rồi", "Which year was that.*“mùa hè 2004”"),
        ("14 tháng 2", "Which year was that.*“14 tháng 2 2004”"),
        ("Tết", "Which year was that.*“Tết 2004”"),
        ("14/2", "Which year was that.*“14 Feb 2003”"),
        ("14.2.03", "four digits"),
        ("5/6/03", "four digits"),
        ("the 20s", "Which years were those"),
        ("những năm 20", "Which years were those"),
        ("in my 30s", "Which years were those"),
        ("05-06-2003", "5 Jun 2003 or 6 May 2003"),
        ("05/06/2003", "5 Jun 2003 or 6 May 2003"),
        ("05 – 06 – 2003", "5 Jun 2003 or 6 May 2003"),
        ("about 05-06-2003", "5 Jun 2003 or 6 May 2003"),
        ("31 Feb", "no such day"),
        ("next summer", "not come yet"),
        ("sang năm", "not come yet"),
        ("the 2190s", "not come yet"),
        ("Christmas 2190", "That day has not come yet"),
        ("the evening of Feb 14, 2190", "That day has not come yet"),
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
def test_a_date_that_cannot_be_read_is_refused_with_a_reason(said: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_when(said)


@pytest.mark.parametrize(
    ("said", "day"),
    [
        ("Christmas 2003", "2003-12-25"),
        ("Christmas Eve 2003", "2003-12-24"),
        ("Giáng sinh năm 2003", "2003-12-25"),
        ("Noel 2003", "2003-12-25"),
        ("Valentine’s Day 2004", "2004-02-14"),
        ("Valentine 2004", "2004-02-14"),
        ("lễ tình nhân 2004", "2004-02-14"),
        ("New Year's Eve 2003", "2003-12-31"),
        ("New Year 2004", "2004-01-01"),
        ("tết dương lịch 2004", "2004-01-01"),
        ("Thanksgiving 2003", "2003-11-27"),
        ("Easter 2003", "2003-04-20"),
        ("Easter 2000", "2000-04-23"),
        ("the Fourth of July 2003", "2003-07-04"),
        ("Tết 2003", "2003-02-01"),
        ("Tết Nguyên Đán năm 2004", "2004-01-22"),
        ("tet 2004", "2004-01-22"),
        ("mùng 3 Tết 2004", "2004-01-24"),
        ("mùng hai Tết 2004", "2004-01-23"),
        ("giao thừa 2004", "2004-01-21"),
        ("Lunar New Year 2004", "2004-01-22"),
        ("Lunar New Year's Eve 2004", "2004-01-21"),
        ("Tết Trung thu 2003", "2003-09-22"),
        ("Tết 1880", "1880-02-05"),
    ],
)
def test_a_holiday_sorts_by_its_day(said: str, day: str) -> None:
    assert read_when(said) == When(day, said)


def test_a_date_relative_to_today_is_kept_with_its_year() -> None:
    today = timezone.localdate()
    last, year = today.year - 1, today.year
    assert read_when("Last year") == read_when(str(last)) == When(f"{last}-07-01", str(last))
    assert read_when("summer last year") == When(f"{last}-07-15", f"summer {last}")
    assert read_when("Christmas last year") == When(f"{last}-12-25", f"Christmas {last}")
    assert read_when("năm ngoái").words == f"năm {last}"
    assert read_when("mùa hè năm ngoái") == When(f"{last}-06-01", f"mùa hè năm {last}")
    assert read_when("năm kia").words == f"năm {year - 2}"
    assert read_when("năm nay").words == f"năm {year}"
    assert read_when("about ten years ago").words == f"about {year - 10}"
    assert read_when("10 năm trước") == read_when("cách đây 10 năm") == read_when(f"năm {year - 10}")
    assert read_when("yesterday") == read_when("hôm qua") == When((today - timedelta(1)).isoformat(), "")


@pytest.mark.parametrize(
    ("language", "said"),
    [("en", "last month"), ("en", "1 month ago"), ("vi", "tháng trước"), ("vi", "một tháng trước")],
)
def test_last_month_is_kept_with_its_name(language: str, said: str) -> None:
    last = timezone.localdate().replace(day=1) - timedelta(1)
    with translation.override(language):
        found = read_when(said)
        assert found == When(last.replace(day=15).isoformat(), date_format(last, "YEAR_MONTH_FORMAT"))
        assert read_when(found.words) == found


def test_a_part_of_this_year_that_has_not_come_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timezone, "now", lambda: datetime(2006, 3, 10, 12, tzinfo=UTC))
    for said in ("Apr 2006", "tháng 4 năm 2006", "fall 2006", "mùa thu năm nay", "late 2006"):
        assert outcome(said) == "That time has not come yet."
    for said in ("Christmas 2006", "Christmas this year", "11 Mar 2006"):
        assert outcome(said) == "That day has not come yet."
    assert read_when("March 2006") == When("2006-03-10", "March 2006")
    assert read_when("spring 2006") == When("2006-03-10", "spring 2006")
    assert read_when("3 months ago") == When("2005-12-15", "December 2005")
    assert read_when("summer 07").day == "1907-07-15"


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


DATE_WORDS = """
the last this next year years month ago a ten in about early late mid end of summer winter spring Feb May 90s
'90s 1990s nineties twenties my 14 2 29 30 31st 2003 1849 2190 '03 03 99 999 / - . , to Christmas eve
Valentine's New Year's Thanksgiving Easter Lunar Tết tet mùng ba giao thừa mùa hè năm ngoái nay kia trước
tháng mười hai giêng ngày những thập niên 80 20 cách đây đầu cuối thu nam thang yesterday qua hôm
"""


@given(
    st.one_of(
        st.text(max_size=60),
        st.from_regex(r"[0-9 ./a-z'\-]{1,20}", fullmatch=True),
        st.lists(st.sampled_from(DATE_WORDS.split()), min_size=1, max_size=7).map(" ".join),
    )
)
def test_any_text_gives_a_past_day_or_a_refusal_in_a_sentence(text: str) -> None:
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
