"""The demonstration's story is consistent: keys, links, dates, chapters and kinds."""

from collections import Counter
from datetime import date, timedelta
from itertools import pairwise

from erasure.demo.story import CHAPTERS, LETTERS, MEMORIES, PICTURES, RECORDINGS, StoryKeepsake, targets

KEEPSAKES: list[StoryKeepsake] = [keepsake for memory in MEMORIES for keepsake in memory.keepsakes]
BY_KEY = {memory.key: memory for memory in MEMORIES}


def repeated(names: list[str]) -> list[str]:
    return [name for name, times in Counter(names).items() if times > 1]


def test_every_memory_and_every_keepsake_has_a_key_of_its_own() -> None:
    assert repeated([memory.key for memory in MEMORIES]) == []
    assert repeated([keepsake.key for keepsake in KEEPSAKES]) == []


def test_links_lead_to_other_memories_of_the_map() -> None:
    links = [(memory.key, other) for memory in MEMORIES for other in memory.links]
    assert [link for link in links if link[1] not in BY_KEY] == []
    assert [link for link in links if link[0] == link[1]] == []
    assert [link for link in links if any(BY_KEY[key].childhood for key in link)] == []
    assert len({tuple(sorted(link)) for link in links}) >= 20  # a link stated at both ends counts once


def test_chapters_follow_one_another_without_a_gap_and_span_the_two_years() -> None:
    for before, after in pairwise(CHAPTERS):
        assert date.fromisoformat(after.first) - date.fromisoformat(before.last) == timedelta(days=1)
    assert (CHAPTERS[0].first, CHAPTERS[-1].last) == ("2001-11-01", "2004-02-12")


def test_each_memory_on_the_map_lies_in_one_chapter_and_childhood_in_none() -> None:
    inside = {
        memory.key: [chapter.color for chapter in CHAPTERS if chapter.first <= memory.day <= chapter.last]
        for memory in MEMORIES
    }
    assert {key: len(colors) for key, colors in inside.items()} == {
        memory.key: 0 if memory.childhood else 1 for memory in MEMORIES
    }
    lengths = Counter(colors[0] for colors in inside.values() if colors)
    assert sorted(lengths) == sorted(chapter.color for chapter in CHAPTERS)
    assert min(lengths.values()) >= 9  # each chapter is long enough to be seen on the time strip


def test_days_are_iso_dates_so_that_their_text_sorts_by_time() -> None:
    days = [memory.day for memory in MEMORIES]
    assert [date.fromisoformat(day).isoformat() for day in days] == days


def test_a_story_written_oldest_first_is_erased_newest_first() -> None:
    newest_first = sorted(targets(), key=lambda memory: memory.day, reverse=True)
    assert (newest_first[0].key, newest_first[1].key) == ("unsent", "bookshop-last")
    assert {newest_first[-1].key, newest_first[-2].key} == {"day-one", "train"}
    assert [memory.day for memory in targets()] == [memory.day for memory in reversed(newest_first)]


def test_the_number_of_targets_makes_a_run_of_about_four_minutes() -> None:
    assert 38 <= len(targets()) <= 44
    assert 4 <= sum(memory.childhood for memory in MEMORIES) <= 5


def test_one_memory_is_protected_and_is_a_letter_that_mentions_her() -> None:
    (kept,) = (memory for memory in MEMORIES if memory.protected)
    (letter,) = kept.keepsakes
    assert kept.key == "sister-letter"
    assert (letter.kind, "about her" in letter.path.read_text()) == ("letter", True)


def test_one_copy_is_hidden_in_childhood_and_shows_a_target() -> None:
    ((copy, childhood),) = (
        (keepsake, memory) for memory in MEMORIES for keepsake in memory.keepsakes if keepsake.copy_of
    )
    (shown,) = (
        memory for memory in targets() if copy.copy_of in [keepsake.key for keepsake in memory.keepsakes]
    )
    assert childhood.childhood
    assert shown.key == "house-on-the-beach"


def test_the_kind_of_a_keepsake_fits_its_file() -> None:
    fitting = {
        "photo": {(PICTURES, ".jpg")},
        "object": {(PICTURES, ".jpg")},
        "letter": {(LETTERS, ".txt"), (LETTERS, ".pdf")},
        "recording": {(RECORDINGS, ".mp3")},
    }
    for keepsake in KEEPSAKES:
        assert (keepsake.path.parent, keepsake.path.suffix) in fitting[keepsake.kind], keepsake.key
        assert keepsake.caption, keepsake.key


def test_letters_are_long_enough_to_be_seen_fading_word_by_word() -> None:
    lengths = {path.name: len(path.read_text().split()) for path in LETTERS.glob("*.txt")}
    assert len(lengths) == 8
    assert {name: words for name, words in lengths.items() if not 80 <= words <= 180} == {}


def test_every_memory_has_a_place_people_and_an_intensity() -> None:
    for memory in MEMORIES:
        assert memory.title, memory.key
        assert memory.place, memory.key
        assert memory.story, memory.key
        assert memory.people, memory.key
        assert memory.keepsakes, memory.key
        assert 0 <= memory.intensity <= 10, memory.key
    assert [memory.key for memory in MEMORIES if memory.childhood and "Clementine" in memory.people] == []


def test_some_memories_hold_two_keepsakes() -> None:
    assert sum(len(memory.keepsakes) == 2 for memory in targets()) >= 2
