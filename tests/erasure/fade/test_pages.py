"""All pages of a letter fade together, and each pass leaves less than the one before."""

import io
import os

import pytest
from PIL import Image

from erasure.fade import pages, photo
from patients.imaging.page_bundle import Page, bind, unbind

ORIGINS = [(300, 420), (640, 200), (40, 56)]


def letter() -> bytes:
    def sheet(size: tuple[int, int]) -> bytes:
        out = io.BytesIO()
        Image.frombytes("RGB", (16, 16), os.urandom(16 * 16 * 3)).resize(size).save(out, "JPEG")
        return out.getvalue()

    return bind([Page(sheet(size), size) for size in ORIGINS])


def test_each_pass_fades_every_page_by_one_level() -> None:
    state, before = letter(), pages.capacity_bits(letter(), 0)
    assert before == sum(w * h * 24 for w, h in ORIGINS)
    for level in range(pages.FRAMES):
        faded = pages.fade(state, level)
        assert [page.origin for page in unbind(faded)] == ORIGINS
        sizes = [Image.open(io.BytesIO(page.data)).size for page in unbind(faded)]
        assert sizes == [photo.sizes(origin)[level + 1] for origin in ORIGINS]
        left = pages.capacity_bits(faded, level + 1)
        assert left == sum(w * h * 24 for w, h in sizes) < before
        first = pages.first(faded, level + 1)
        assert (first.data, (first.width, first.height)) == (unbind(faded)[0].data, sizes[0])
        state, before = faded, left
    assert max(max(Image.open(io.BytesIO(page.data)).size) for page in unbind(state)) <= photo.SMALLEST_SIDE


def test_two_fades_of_one_letter_differ_on_every_page() -> None:
    state = letter()
    one, other = unbind(pages.fade(state, 0)), unbind(pages.fade(state, 0))
    assert all(mine.data != theirs.data for mine, theirs in zip(one, other, strict=True))


@pytest.mark.parametrize("level", [-1, 1, 12])
def test_a_wrong_level_is_refused(level: int) -> None:
    with pytest.raises(ValueError, match=r"pass|size"):
        pages.fade(letter(), level)
