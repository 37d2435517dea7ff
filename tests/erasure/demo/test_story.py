"""The demonstration's story holds together: what its parts point to exists, and happens when it says."""

from collections import Counter
from datetime import date, timedelta
from itertools import pairwise

from erasure.demo.paintings.paint import SCENES
from erasure.demo.story import CHAPTERS, MOMENTS, Thing, targets

THINGS: list[Thing] = [thing for moment in MOMENTS for thing in moment.things]
BY_KEY = {moment.key: moment for moment in MOMENTS}


def repeated(names: list[str]) -> list[str]:
    return [name for name, times in Counter(names).items() if times > 1]


def test_every_moment_and_every_thing_has_a_key_of_its_own() -> None:
    assert repeated([moment.key for moment in MOMENTS]) == []
    assert repeated([thing.key for thing in THINGS]) == []


def test_links_lead_to_other_moments_of_the_map() -> None:
    links = [(moment.key, other) for moment in MOMENTS for other in moment.links]
    assert [link for link in links if link[1] not in BY_KEY] == []
    assert [link for link in links if link[0] == link[1]] == []
    assert [link for link in links if any(BY_KEY[key].childhood for key in link)] == []
    assert len({tuple(sorted(link)) for link in links}) >= 20  # told from both ends, a link is still one


def test_chapters_follow_one_another_without_a_gap_and_span_the_two_years() -> None:
    for before, after in pairwise(CHAPTERS):
        assert date.fromisoformat(after.first) - date.fromisoformat(before.last) == timedelta(days=1)
    assert (CHAPTERS[0].first, CHAPTERS[-1].last) == ("2001-11-01", "2004-02-12")


def test_each_moment_on_the_map_lies_in_one_chapter_and_childhood_in_none() -> None:
    inside = {
        moment.key: [chapter.color for chapter in CHAPTERS if chapter.first <= moment.day <= chapter.last]
        for moment in MOMENTS
    }
    assert {key: len(colors) for key, colors in inside.items()} == {
        moment.key: 0 if moment.childhood else 1 for moment in MOMENTS
    }
    told = Counter(colors[0] for colors in inside.values() if colors)
    assert sorted(told) == sorted(chapter.color for chapter in CHAPTERS)
    assert min(told.values()) >= 9  # each chapter is long enough to be seen on the time strip


def test_days_are_whole_dates_so_that_sorting_their_text_sorts_them_in_time() -> None:
    days = [moment.day for moment in MOMENTS]
    assert [date.fromisoformat(day).isoformat() for day in days] == days


def test_a_story_told_oldest_first_is_erased_newest_first() -> None:
    newest_first = sorted(targets(), key=lambda moment: moment.day, reverse=True)
    assert (newest_first[0].key, newest_first[1].key) == ("unsent", "bookshop-last")
    assert {newest_first[-1].key, newest_first[-2].key} == {"day-one", "train"}
    assert [moment.day for moment in targets()] == [moment.day for moment in reversed(newest_first)]


def test_so_many_targets_that_six_seconds_each_make_about_four_minutes() -> None:
    assert 38 <= len(targets()) <= 44
    assert 4 <= sum(moment.childhood for moment in MOMENTS) <= 5


def test_one_memory_is_kept_and_it_is_a_letter_that_mentions_her() -> None:
    (kept,) = (moment for moment in MOMENTS if moment.kept)
    (letter,) = kept.things
    assert kept.key == "sister-letter"
    assert (letter.kind, "about her" in letter.words) == ("letter", True)


def test_one_copy_is_hidden_in_childhood_and_shows_a_target() -> None:
    ((copy, hiding),) = ((thing, moment) for moment in MOMENTS for thing in moment.things if thing.copy_of)
    (shown,) = (moment for moment in targets() if copy.copy_of in [thing.key for thing in moment.things])
    assert hiding.childhood
    assert shown.key == "house-on-the-beach"


def test_a_thing_is_a_letter_with_words_or_a_picture_of_a_scene_or_of_another_picture() -> None:
    for thing in THINGS:
        made_of = [thing.words, thing.scene, thing.copy_of, thing.pages, thing.said]
        assert thing.kind in {"photo", "letter", "object", "recording"}, thing.key
        assert list(map(bool, made_of)).count(True) == 1, thing.key
        assert bool(thing.words or thing.pages) == (thing.kind == "letter"), thing.key
        assert bool(thing.said) == (thing.kind == "recording"), thing.key
        assert not thing.scene or thing.scene in SCENES, thing.key
        assert thing.caption, thing.key


def test_letters_are_long_enough_to_be_seen_fading_word_by_word() -> None:
    lengths = {thing.key: len(thing.words.split()) for thing in THINGS if thing.words}
    assert len(lengths) == 8
    assert {key: words for key, words in lengths.items() if not 80 <= words <= 180} == {}


def test_every_moment_says_where_who_and_how_strong() -> None:
    for moment in MOMENTS:
        assert moment.title, moment.key
        assert moment.place, moment.key
        assert moment.story, moment.key
        assert moment.people, moment.key
        assert moment.things, moment.key
        assert 0 <= moment.intensity <= 10, moment.key
    assert [moment.key for moment in MOMENTS if moment.childhood and "Clementine" in moment.people] == []


def test_some_moments_hold_two_keepsakes() -> None:
    assert sum(len(moment.things) == 2 for moment in targets()) >= 2
