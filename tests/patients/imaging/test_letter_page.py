"""The page of a letter: remaining words stay at their places, and every supported script is drawn."""

import io
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image, ImageChops, ImageFont

from patients.imaging import letter_faces
from patients.imaging.letter_cells import gap, width
from patients.imaging.letter_page import CREAM, PAGE_SIZE, count_undrawn, draw_page

DARK = 140  # shades of gray below this are ink, those from it on are paper
LETTER = "Dear Joel,\n\nI saw the frozen river again today, and I thought of the night.\n\nYour Clementine"


def gray(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data)).convert("L")


def ink(data: bytes) -> Image.Image:
    """The dark pixels of a page in white (255), all others in black."""
    return gray(data).point([255] * DARK + [0] * (256 - DARK))


def count_dark_pixels(data: bytes) -> int:
    return sum(gray(data).histogram()[:DARK])


def difference_of(one: str, other: str) -> float:
    """How much the drawn pixels of two letters differ: 0 if they look the same, about 1 or 2 if not."""
    shapes = [ink(draw_page(text, 600)) for text in (one, other)]
    return ImageChops.difference(*shapes).histogram()[255] / max(1, shapes[0].histogram()[255])


def test_a_page_has_ink_on_cream_paper_and_sides_of_three_to_four() -> None:
    data = draw_page(LETTER, 300)
    picture = Image.open(io.BytesIO(data))
    assert (picture.format, picture.size) == ("JPEG", (300, 400))
    assert not picture.getexif()
    corner = picture.convert("RGB").getpixel((3, 3))
    assert isinstance(corner, tuple)
    assert all(abs(a - b) < 16 for a, b in zip(corner, CREAM, strict=True))
    assert count_dark_pixels(data) > 400


def test_an_empty_page_has_no_ink() -> None:
    assert count_dark_pixels(draw_page("")) == count_dark_pixels(draw_page("\u2007\u2007\n \u3000")) == 0
    assert Image.open(io.BytesIO(draw_page(""))).size == PAGE_SIZE


def test_words_do_not_move_when_others_vanish() -> None:
    """The last word stays at its place when the whole letter before it has vanished."""
    others = LETTER[: LETTER.index("Clementine")]
    vanished = "".join(char if char.isspace() else "\u2007" for char in others)
    before, after = (ink(draw_page(text, 600)) for text in (LETTER, vanished + "Clementine"))
    last_word = after.getbbox()
    assert last_word is not None
    ink_before, ink_after = (picture.crop(last_word).histogram()[255] for picture in (before, after))
    assert abs(ink_before - ink_after) < 0.08 * ink_before


@pytest.mark.parametrize("words", [0, 1, 200, 2000, 80_000])
def test_a_letter_of_any_length_fits_or_is_cut(words: int) -> None:
    data = draw_page("tangerine " * words, 240)
    assert Image.open(io.BytesIO(data)).size == (240, 320)
    assert (count_dark_pixels(data) > 0) is (words > 0)


def test_tabs_and_very_long_words_are_drawn() -> None:
    assert count_dark_pixels(draw_page("\t" + "m" * 500, 240)) > 0


def test_characters_without_a_glyph_are_drawn_as_strokes() -> None:
    strokes = draw_page("\U0001f980\U0001f980 雪が降る", 300)
    assert count_dark_pixels(strokes) > 50


def test_another_font_can_be_used(tmp_path: Path) -> None:
    face = ImageFont.load_default(20)
    assert isinstance(face, ImageFont.FreeTypeFont)
    assert isinstance(face.path, io.BytesIO)
    path = tmp_path / "face.ttf"
    path.write_bytes(face.path.getvalue())
    assert count_dark_pixels(draw_page(LETTER, 300, font=path)) == pytest.approx(
        count_dark_pixels(draw_page(LETTER, 300)), rel=0.1
    )


VIETNAMESE = "ăâđêôơư áàảãạ ắằẳẵặ ấầẩẫậ éèẻẽẹ ếềểễệ íìỉĩị óòỏõọ ốồổỗộ ớờởỡợ úùủũụ ứừửữự ýỳỷỹỵ 12₫"
WORDS = (
    *("café", "Joël", "12€", "Clémentine", "Łódź", "straße", "“naïve”…", "l’été"),
    *("Hôm", "thương", "nhưỡng", "Đặng", "ẴẮỮỢ", *VIETNAMESE.split()),
    *("Привет", "ёлка", "їжак", "Αγάπη", "Ὀδυσσεύς", "x\u0304m\u0303"),
    *("♥♡❤\ufe0f", "★☆✓", "☺☹", "♪♫", "→←"),
)


@pytest.mark.parametrize("word", WORDS)
def test_every_letter_of_the_supported_scripts_is_drawn(word: str) -> None:
    """Characters that no typeface has would look like runes, which are drawn as strokes."""
    assert count_undrawn(word) == 0
    for text in (word, word.upper(), unicodedata.normalize("NFD", word)):
        assert difference_of(text, "\u16a0" * width(text)) > 0.5


def test_strokes_of_one_width_look_alike() -> None:
    assert difference_of("\u16a0\u16a1", "\u16a2\u16a3") < 0.1
    assert difference_of("love", "hate") > 0.5


def test_only_characters_without_a_glyph_are_strokes() -> None:
    assert difference_of("love\u16a0", "\u16a0" * 5) > 0.5
    assert difference_of("love\u16a0", "love\u16a1") < 0.1


def test_decomposed_text_looks_like_composed_text() -> None:
    for text in (VIETNAMESE, "Joël,\n\n\tcafé\tthương nhớ", "ёлка Ἀγαπημένη 한국 がぎ"):
        apart = unicodedata.normalize("NFD", text)
        assert apart != text
        assert difference_of(text, apart) < 0.1


@pytest.fixture
def no_shaping(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Pillow without text shaping, as on a machine without FriBidi."""
    letter_faces.face.cache_clear()
    monkeypatch.setattr(ImageFont.core, "HAVE_RAQM", False)
    yield
    letter_faces.face.cache_clear()


@pytest.mark.usefixtures("no_shaping")
def test_the_page_looks_the_same_without_text_shaping() -> None:
    assert difference_of("thương", unicodedata.normalize("NFD", "thương")) < 0.1
    assert difference_of("I \u2764\ufe0f you\u200d", "I \u2764 you") < 0.1
    assert difference_of("ưỡng", "\u16a0" * 4) > 0.5


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_no_word_moves_when_others_vanish_in_either_form(form: str) -> None:
    """Also beside a no-break space, after a tab, and after combining marks."""
    others = unicodedata.normalize(form, "Anh\u00a0thương\tnhớ\u00a0")
    vanished = "".join(char if char.isspace() else gap(char) for char in others)
    before, after = (ink(draw_page(text + "Clementine", 600)) for text in (others, vanished))
    last_word = after.getbbox()
    assert last_word is not None
    ink_after = after.crop(last_word).histogram()[255]
    difference = ImageChops.difference(before.crop(last_word), after.crop(last_word)).histogram()[255]
    assert difference < 0.1 * ink_after


def test_characters_that_cannot_be_drawn_are_counted() -> None:
    assert count_undrawn(LETTER) == count_undrawn("") == count_undrawn("\u2007 \u3000\u200b\u200d") == 0
    assert count_undrawn("love🦀 雪が降る שלום") == 9
    assert count_undrawn("\u05e9\u05c1\u05dc") == 2  # a combining mark does not count as a letter
    assert count_undrawn("Joe\u0308l \u16a0\u0308") == 1


def test_characters_that_do_not_fit_on_the_page_are_counted() -> None:
    assert count_undrawn("tangerine " * 200) == 0
    assert 0 < count_undrawn("tangerine " * 20_000) < 9 * 20_000
    assert count_undrawn("tangerine " * 20_001) == count_undrawn("tangerine " * 20_000) + 9


def test_every_typeface_has_its_licence() -> None:
    here = letter_faces.FOLDER
    assert {path.name for path in letter_faces.FACES} == {path.name for path in here.glob("*.ttf")}
    about = (here / "ABOUT.txt").read_text()
    assert all(path.name in about for path in letter_faces.FACES)
    licences = [path.read_text() for path in here.glob("OFL-*.txt")]
    assert len(licences) == len(letter_faces.FACES)
    assert all("SIL OPEN FONT LICENSE" in text for text in licences)
