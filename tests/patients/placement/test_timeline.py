"""Gaps between memories, and dates that are missing or contradict others."""

from datetime import date, timedelta

import pytest
from django.test import Client
from django.utils import translation

from patients.cases.models import Case
from patients.memories.models import Memory
from patients.memories.when import period_of, read_when
from patients.placement.sheet import read_brought
from patients.placement.timeline import Timeline, timeline_of
from tests.factories import make_case, make_keepsake, make_memory
from tests.patients.placement.bringing import EVENING, bring, bring_evening, scene

pytestmark = pytest.mark.django_db


@pytest.fixture
def case() -> Case:
    return make_case()


def timeline(case: Case) -> Timeline:
    with translation.override("en"):
        return timeline_of(read_brought(case))


def gap_texts(case: Case) -> list[str]:
    return [gap.text for gap, _stop in timeline(case).dated if gap]


def remember(case: Case, text: str) -> Memory:
    """A memory. text: its title, and its date as a patient would type it."""
    memory, when = make_memory(case, text), read_when(text)
    memory.write(type(memory.read())(title=text, when=when.words, day=when.day))
    memory.save(update_fields=["sealed"])
    return memory


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ("2003-03-31", "2003-06-30", []),  # April and May: two whole months
        ("2003-03-31", "2003-07-01", ["Nothing between March 2003 and July 2003."]),
        ("2003-11-02", "2004-12-02", ["Nothing between November 2003 and December 2004."]),
        # A rough date may be any day of its period.
        ("2003", "2004-02-01", []),
        ("2003", "2004-06-01", ["Nothing between December 2003 and June 2004."]),
        ("summer 2003", "2003-11-01", []),
        ("March 2003", "2003-08-01", ["Nothing between March 2003 and August 2003."]),
        ("the 1990s", "2000-02-01", []),
        ("2001 to 2003", "2004-03-01", []),
    ],
)
def test_a_gap_has_at_least_three_whole_months(
    case: Case, first: str, second: str, expected: list[str]
) -> None:
    remember(case, first)
    remember(case, second)
    assert gap_texts(case) == expected


def test_an_unplaced_keepsake_fills_a_gap_and_a_rough_date_lasts_for_its_whole_period(case: Case) -> None:
    remember(case, "2003-01-01")
    remember(case, "2003-07-01")
    assert len(gap_texts(case)) == 1
    bring(case, "2003-04-01T12:00:00")
    assert gap_texts(case) == []
    remember(case, "2010")
    remember(case, "2010-02-01")
    assert gap_texts(case) == ["Nothing between July 2003 and December 2009."]


def test_a_gap_links_the_form_for_a_new_memory_dated_in_its_middle(client: Client, case: Case) -> None:
    remember(case, "2003-03-31")
    remember(case, "2003-07-01")
    [gap] = [gap for gap, _stop in timeline(case).dated if gap]
    assert gap.url == "/me/memories/new/?when=May+2003"
    client.force_login(case.patient)
    assert 'value="May 2003"' in client.get(gap.url).content.decode()
    assert read_when("May 2003").day == "2003-05-15"


@pytest.mark.parametrize(
    ("words", "first", "last"),
    [
        ("14 Feb 2003", "2003-02-14", "2003-02-14"),
        ("Feb 2003", "2003-01-31", "2003-03-02"),
        ("summer 2003", "2003-05-30", "2003-08-30"),
        ("about 2003", "2002-12-30", "2003-12-31"),
        ("mùa hè 2003", "2003-04-16", "2003-07-17"),
        ("2001-2003", "2000-12-29", "2004-01-01"),
    ],
)
def test_the_period_of_a_rough_date(words: str, first: str, last: str) -> None:
    when = read_when(words)
    found = period_of(when.day, when.words)
    assert found == (date.fromisoformat(first), date.fromisoformat(last))


def test_the_period_of_words_that_cannot_be_read_as_a_date_is_the_saved_day() -> None:
    assert period_of("2003-05-15", "when we met") == (date(2003, 5, 15), date(2003, 5, 15))


def doubt_links(case: Case) -> list[tuple[str, str]]:
    """The text and the URL of each doubt."""
    found = timeline(case)
    stops = [stop for _gap, stop in found.dated] + list(found.undated)
    return [(doubt.text, doubt.url) for stop in stops for doubt in stop.doubts]


def test_a_memory_is_doubtful_if_all_its_keepsakes_are_of_other_days(case: Case) -> None:
    memory = make_memory(case, "The beach", "2002-08-01")
    make_keepsake(memory, taken="2002-08-09T12:00:00")
    url = f"/me/memories/{memory.pk}/"
    assert doubt_links(case) == [("Its keepsakes are from 9 Aug 2002.", url)]
    make_keepsake(memory, taken="2002-08-11T12:00:00")
    assert doubt_links(case) == [("Its keepsakes are from 9 Aug 2002 to 11 Aug 2002.", url)]


@pytest.mark.parametrize(("days", "doubtful"), [(0, False), (1, False), (2, True)])
def test_one_keepsake_two_days_off_is_doubtful(case: Case, days: int, doubtful: bool) -> None:
    memory = make_memory(case, "The beach", "2002-08-01")
    make_keepsake(memory, taken="2002-08-01T12:00:00")
    day = date(2002, 8, 1) + timedelta(days=days)
    other = make_keepsake(memory, caption="Sand", taken=f"{day}T09:00:00")
    expected = [(f"“Sand” is from {day.day} Aug 2002.", f"/me/keepsakes/{other.pk}/")]
    assert doubt_links(case) == (expected if doubtful else [])


def test_a_keepsake_within_a_rough_date_or_with_a_rough_date_is_not_doubtful(case: Case) -> None:
    memory = remember(case, "summer 2002")
    make_keepsake(memory, taken="2002-06-02T12:00:00")
    make_keepsake(memory, when="about 1990", day="1990-07-02")
    assert doubt_links(case) == []


def test_a_memory_without_a_date_is_pointed_out_with_the_date_of_its_keepsakes(case: Case) -> None:
    memory = make_memory(case, "The argument", "")
    url = f"/me/memories/{memory.pk}/"
    assert doubt_links(case) == [("It has no date yet.", url)]
    make_keepsake(memory, taken="2003-05-01T20:00:00")
    assert doubt_links(case) == [("It has no date yet. Its keepsakes are from 1 May 2003.", url)]


def test_copies_are_doubtful_if_one_is_a_year_later_but_not_if_it_is_a_day_later(case: Case) -> None:
    first = bring(case, "2003-05-01T20:00:00", picture=scene(1), caption="Wall")
    next_day = bring(case, "2003-05-02T20:00:00", picture=scene(1))
    assert doubt_links(case) == []
    next_year = bring(case, "2004-05-02T20:00:00", picture=scene(1), caption="Wall")
    assert [(text[:24], url) for text, url in doubt_links(case)] == [
        ("“Wall” is from 1 May 200", f"/me/keepsakes/{first.pk}/"),
        ("“A photograph” is from 2", f"/me/keepsakes/{next_day.pk}/"),
        ("“Wall” is from 2 May 200", f"/me/keepsakes/{next_year.pk}/"),
    ]


def test_the_page_shows_gaps_doubts_and_what_is_not_placed(client: Client, case: Case) -> None:
    make_keepsake(make_memory(case, "The beach", "2002-08-01"), taken="2002-08-09T12:00:00")
    make_memory(case, "The argument", "")
    make_memory(case, "Erased", fate=Memory.Fate.ERASED)
    bring_evening(case, 6)
    bring(case)
    client.force_login(case.patient)
    page = client.get("/me/timeline/").content.decode()
    for words in (
        "1 gap, 2 doubts.",
        "Nothing between August 2002 and February 2004.",
        "6 photographs, 14 February 2004, evening",
        "2 more",
        "1 keepsake that is in no memory",
        "It has no date yet.",
        "?show=undated",
    ):
        assert words in page, words
    assert "Erased" not in page
    # The photo of the beach, and four of the six that are not placed: "2 more" stands for the others.
    assert page.count("/pictures/") == 1 + 4
    assert EVENING.date().isoformat() not in page, "dates are shown in words"
