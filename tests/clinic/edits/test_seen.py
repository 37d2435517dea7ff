"""The mark of the state that a page showed."""

import pytest
from django.conf import LazySettings

from clinic.edits.seen import is_seen, seen_mark


def test_a_mark_fits_only_the_state_it_was_made_of() -> None:
    mark = seen_mark("thing:1", "new", None, 3, ["a", "b"])
    assert is_seen(mark, "thing:1", "new", None, 3, ["a", "b"])
    for other in (
        ("thing:2", "new", None, 3, ["a", "b"]),
        ("thing:1", "old", None, 3, ["a", "b"]),
        ("thing:1", "new", None, 3, ["ab"]),
        ("thing:1", "new", None, 3),
    ):
        assert not is_seen(mark, *other)


@pytest.mark.parametrize("posted", ["", "0" * 20, "é", "\0"])
def test_an_invalid_mark_fits_nothing(posted: str) -> None:
    assert not is_seen(posted, "thing:1")


def test_a_mark_made_with_a_former_secret_key_fits(settings: LazySettings) -> None:
    mark = seen_mark("thing:1", "new")
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "another secret" * 4, [settings.SECRET_KEY]
    assert seen_mark("thing:1", "new") != mark
    assert is_seen(mark, "thing:1", "new")
    settings.SECRET_KEY_FALLBACKS = []
    assert not is_seen(mark, "thing:1", "new")
