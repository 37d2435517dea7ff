"""A letter's page shows the words that are left, where they were."""

import io
from pathlib import Path

import pytest
from PIL import Image, ImageFont

from patients.imaging.letter_page import CREAM, PAGE_SIZE, page

LETTER = "Dear Joel,\n\nI saw the frozen river again today, and I thought of the night.\n\nYour Clementine"


def gray(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data)).convert("L")


def ink(data: bytes) -> int:
    """How many pixels are dark."""
    return sum(gray(data).histogram()[:140])


def test_a_page_is_cream_paper_with_ink_in_proportion_of_three_to_four() -> None:
    data = page(LETTER, 300)
    picture = Image.open(io.BytesIO(data))
    assert (picture.format, picture.size) == ("JPEG", (300, 400))
    assert not picture.getexif()
    corner = picture.convert("RGB").getpixel((3, 3))
    assert isinstance(corner, tuple)
    assert all(abs(a - b) < 16 for a, b in zip(corner, CREAM, strict=True))
    assert ink(data) > 400


def test_an_empty_page_has_no_ink() -> None:
    assert ink(page("")) == ink(page("\u2007\u2007\n \u3000")) == 0
    assert Image.open(io.BytesIO(page(""))).size == PAGE_SIZE


def test_words_do_not_move_when_others_vanish() -> None:
    """The last word stays where it is though the whole letter before it is gone."""
    alone = LETTER[: LETTER.index("Clementine")]
    gone = "".join(sign if sign.isspace() else "\u2007" for sign in alone) + "Clementine"
    left = [gray(page(text, 600)).point([255] * 140 + [0] * 116) for text in (LETTER, gone)]
    word = left[1].getbbox()
    assert word is not None
    whole = left[0].crop(word).histogram()[255]
    assert abs(whole - left[1].crop(word).histogram()[255]) < 0.08 * whole


@pytest.mark.parametrize("words", [0, 1, 200, 2000, 80_000])
def test_any_length_fits_or_is_cut(words: int) -> None:
    data = page("tangerine " * words, 240)
    assert Image.open(io.BytesIO(data)).size == (240, 320)
    assert (ink(data) > 0) is (words > 0)


def test_a_word_that_cannot_be_broken_and_tabs() -> None:
    assert ink(page("\t" + "m" * 500, 240)) > 0


def test_words_without_signs_in_the_font_are_strokes() -> None:
    boxes = page("\U0001f980\U0001f980 雪が降る", 300)
    assert ink(boxes) > 50


def test_another_font(tmp_path: Path) -> None:
    face = ImageFont.load_default(20)
    assert isinstance(face, ImageFont.FreeTypeFont)
    assert isinstance(face.path, io.BytesIO)
    path = tmp_path / "face.ttf"
    path.write_bytes(face.path.getvalue())
    assert ink(page(LETTER, 300, font=path)) == pytest.approx(ink(page(LETTER, 300)), rel=0.1)
