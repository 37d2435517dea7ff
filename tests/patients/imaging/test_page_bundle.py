"""bind and unbind: pages of a letter in one file; damaged bundles are refused."""

import pytest

from patients.imaging.page_bundle import MAGIC, Page, bind, unbind

PAGES = [Page(b"one", (300, 400)), Page(b"the second", (1, 1280)), Page(b"", (7, 9))]


@pytest.mark.parametrize("count", [1, 3])
def test_unbind_returns_the_bound_pages(count: int) -> None:
    assert unbind(bind(PAGES[:count])) == PAGES[:count]


def test_a_bundle_needs_at_least_one_page() -> None:
    with pytest.raises(ValueError, match="at least one"):
        bind([])


@pytest.mark.parametrize("cut", range(len(bind(PAGES))))
def test_a_bundle_truncated_anywhere_is_refused(cut: int) -> None:
    with pytest.raises(ValueError, match="pages"):
        unbind(bind(PAGES)[:cut])


def test_trailing_bytes_and_invalid_bundles_are_refused() -> None:
    for data in (bind(PAGES) + b"x", b"\xff\xd8\xff", MAGIC + b"\0\0", bind([Page(b"x", (0, 5))])):
        with pytest.raises(ValueError, match="page"):
            unbind(data)
