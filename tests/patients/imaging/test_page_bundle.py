"""Pages bound together come apart as they were, and nothing else does."""

import pytest

from patients.imaging.page_bundle import MAGIC, Page, bind, unbind

PAGES = [Page(b"one", (300, 400)), Page(b"the second", (1, 1280)), Page(b"", (7, 9))]


@pytest.mark.parametrize("count", [1, 3])
def test_pages_come_apart_as_they_were_bound(count: int) -> None:
    assert unbind(bind(PAGES[:count])) == PAGES[:count]


def test_no_pages_are_no_letter() -> None:
    with pytest.raises(ValueError, match="at least one"):
        bind([])


@pytest.mark.parametrize("cut", range(len(bind(PAGES))))
def test_pages_cut_anywhere_are_refused(cut: int) -> None:
    with pytest.raises(ValueError, match="pages"):
        unbind(bind(PAGES)[:cut])


def test_what_follows_pages_or_is_none_is_refused() -> None:
    for data in (bind(PAGES) + b"x", b"\xff\xd8\xff", MAGIC + b"\0\0", bind([Page(b"x", (0, 5))])):
        with pytest.raises(ValueError, match="page"):
            unbind(data)
