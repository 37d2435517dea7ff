"""A letter's page shows the words that are left, where they were."""

import io
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image, ImageChops, ImageFont

from patients.imaging import letter_faces
from patients.imaging.letter_cells import gap, width
from patients.imaging.letter_page import CREAM, PAGE_SIZE, page, undrawn

LETTER = "Dear Joel,\n\nI saw the frozen river again today, and I thought of the night.\n\nYour Clementine"


def gray(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data)).convert("L")


def ink(data: bytes) -> int:
    """How many pixels are dark."""
    return sum(gray(data).histogram()[:140])


def unlike(one: str, other: str) -> float:
    """How much the ink of two letters differs: 0 if they look the same, about 1 or 2 if they do not."""
    shapes = [gray(page(text, 600)).point([255] * 140 + [0] * 116) for text in (one, other)]
    return ImageChops.difference(*shapes).histogram()[255] / max(1, shapes[0].histogram()[255])


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


VIETNAMESE = "ăâđêôơư áàảãạ ắằẳẵặ ấầẩẫậ éèẻẽẹ ếềểễệ íìỉĩị óòỏõọ ốồổỗộ ớờởỡợ úùủũụ ứừửữự ýỳỷỹỵ 12₫"
WORDS = (
    *("café", "Joël", "12€", "Clémentine", "Łódź", "straße", "“naïve”…", "l’été"),
    *("Hôm", "thương", "nhưỡng", "Đặng", "ẴẮỮỢ", *VIETNAMESE.split()),
    *("Привет", "ёлка", "їжак", "Αγάπη", "Ὀδυσσεύς", "x\u0304m\u0303"),
    *("♥♡❤\ufe0f", "★☆✓", "☺☹", "♪♫", "→←"),
)


@pytest.mark.parametrize("word", WORDS)
def test_every_letter_of_our_scripts_is_drawn(word: str) -> None:
    """A word without a typeface would be the same stroke as runes, which we cannot draw."""
    assert undrawn(word) == 0
    for text in (word, word.upper(), unicodedata.normalize("NFD", word)):
        assert unlike(text, "\u16a0" * width(text)) > 0.5


def test_strokes_of_one_width_look_alike() -> None:
    assert unlike("\u16a0\u16a1", "\u16a2\u16a3") < 0.1
    assert unlike("love", "hate") > 0.5


def test_only_what_no_typeface_has_is_a_stroke() -> None:
    assert unlike("love\u16a0", "\u16a0" * 5) > 0.5
    assert unlike("love\u16a0", "love\u16a1") < 0.1


def test_decomposed_text_looks_as_composed() -> None:
    for text in (VIETNAMESE, "Joël,\n\n\tcafé\tthương nhớ", "ёлка Ἀγαπημένη 한국 がぎ"):
        apart = unicodedata.normalize("NFD", text)
        assert apart != text
        assert unlike(text, apart) < 0.1


@pytest.fixture
def no_shaping(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine without FriBidi: Pillow sets one character beside the other."""
    letter_faces.face.cache_clear()
    monkeypatch.setattr(ImageFont.core, "HAVE_RAQM", False)
    yield
    letter_faces.face.cache_clear()


@pytest.mark.usefixtures("no_shaping")
def test_the_page_is_the_same_where_text_is_not_shaped() -> None:
    assert unlike("thương", unicodedata.normalize("NFD", "thương")) < 0.1
    assert unlike("I \u2764\ufe0f you\u200d", "I \u2764 you") < 0.1
    assert unlike("ưỡng", "\u16a0" * 4) > 0.5


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_no_word_moves_when_others_vanish_in_either_form(form: str) -> None:
    """Beside a no-break space, after a tab, and after marks that have no cell of their own."""
    lost = unicodedata.normalize(form, "Anh\u00a0thương\tnhớ\u00a0")
    state = "".join(char if char.isspace() else gap(char) for char in lost)
    whole, left = (
        gray(page(text, 600)).point([255] * 140 + [0] * 116)
        for text in (lost + "Clementine", state + "Clementine")
    )
    word = left.getbbox()
    assert word is not None
    ink_left = left.crop(word).histogram()[255]
    difference = ImageChops.difference(whole.crop(word), left.crop(word)).histogram()[255]
    assert difference < 0.1 * ink_left


def test_what_cannot_be_drawn_is_counted_letter_by_letter() -> None:
    assert undrawn(LETTER) == undrawn("") == undrawn("\u2007 \u3000\u200b\u200d") == 0
    assert undrawn("love🦀 雪が降る שלום") == 9
    assert undrawn("\u05e9\u05c1\u05dc") == 2  # a mark is no letter of its own
    assert undrawn("Joe\u0308l \u16a0\u0308") == 1


def test_what_the_page_has_no_room_for_is_counted() -> None:
    assert undrawn("tangerine " * 200) == 0
    assert 0 < undrawn("tangerine " * 20_000) < 9 * 20_000
    assert undrawn("tangerine " * 20_001) == undrawn("tangerine " * 20_000) + 9


def test_the_typefaces_lie_here_with_their_licences() -> None:
    here = letter_faces.FOLDER
    assert {path.name for path in letter_faces.FACES} == {path.name for path in here.glob("*.ttf")}
    about = (here / "ABOUT.txt").read_text()
    assert all(path.name in about for path in letter_faces.FACES)
    licences = [path.read_text() for path in here.glob("OFL-*.txt")]
    assert len(licences) == len(letter_faces.FACES)
    assert all("SIL OPEN FONT LICENSE" in text for text in licences)
