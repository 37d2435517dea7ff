"""The places of the list: no id changes, and every place has a title and a guide in both languages."""

import re
from collections.abc import Callable

import pytest
from django.utils import translation

from patients.left_behind.models import LeftBehindTick
from patients.left_behind.places import GROUPS, PLACES

# The ticks of patients store these ids. One may be added. None may be changed, or given to another place.
IDS = {
    *("home-drawers", "home-boxes", "home-walls", "home-clothes", "home-gifts", "home-car"),
    *(
        "phone-pictures",
        "phone-contacts",
        "phone-messages",
        "phone-suggestions",
        "phone-calendar",
        "phone-old",
    ),
    *("cloud-pictures", "cloud-backups", "cloud-shared", "cloud-mail", "cloud-places"),
    *("social-chats", "social-following", "social-posts", "social-memories", "social-accounts"),
    *("people-friends", "people-pictures", "people-things"),
    *("paper-letters", "paper-official", "paper-payments"),
}
SENTENCE_END = re.compile(r"[.](?:\s|$)")


def test_the_ids_are_unique_unchanged_and_fit_the_column_and_the_url() -> None:
    ids = [place.id for group in GROUPS for place in group.places]
    assert len(ids) == len(set(ids)) == len(PLACES)
    assert set(ids) == IDS
    longest = LeftBehindTick._meta.get_field("place").max_length
    assert longest
    assert max(map(len, ids)) <= longest
    assert all(re.fullmatch(r"[a-z-]+", place_id) for place_id in ids), "an id is a part of a URL"


@pytest.mark.parametrize("language", ["en", "vi"])
def test_every_place_has_a_title_and_a_guide_of_two_to_four_sentences(language: str) -> None:
    with translation.override(language):
        titles = [str(place.title) for place in PLACES.values()]
        assert all(titles)
        assert len(set(titles)) == len(PLACES)
        sentences = {place.id: len(SENTENCE_END.findall(str(place.guide))) for place in PLACES.values()}
        assert {place_id: n for place_id, n in sentences.items() if not 2 <= n <= 4} == {}


def test_every_text_of_the_list_is_translated() -> None:
    def texts() -> dict[str, str]:
        groups = {f"group {n}": str(group.title) for n, group in enumerate(GROUPS)}
        titles = {f"title {place.id}": str(place.title) for place in PLACES.values()}
        return groups | titles | {f"guide {place.id}": str(place.guide) for place in PLACES.values()}

    english, vietnamese = in_language("en", texts), in_language("vi", texts)
    assert [name for name in english if english[name] == vietnamese[name]] == []


def in_language(language: str, texts: Callable[[], dict[str, str]]) -> dict[str, str]:
    with translation.override(language):
        return texts()
