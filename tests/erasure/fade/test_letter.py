"""A letter loses its words, the rarest first, and their spaces stay until the end."""

import io
import random
import unicodedata
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageChops

from erasure.fade.letter import BLANK, FRAMES, capacity_bits, draw_page, fade
from patients.imaging.letter_cells import is_part, width

LETTER = """Dear Joel,

\tI saw the frozen river again today, and I thought of the night we lay on the ice, and of
the stars, which you said you could not name. I can name you now: you are the one who stayed.

Your Clementine"""


def states(letter: str) -> list[str]:
    found = [letter]
    for level in range(FRAMES):
        found.append(fade(found[-1], level))
    return found


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=400))
def test_any_text_only_loses_characters_until_none_is_left(letter: str) -> None:
    found = states(letter)
    bits = [capacity_bits(state) for state in found]
    assert all(after <= before for before, after in pairwise(bits))
    assert bits[-1] == 0
    assert found[-1].strip() == ""
    assert {len(state) for state in found} == {len(letter)}
    for before, after in pairwise(found):
        for was, is_now in zip(before, after, strict=True):
            assert is_now == was or is_now.isspace()


MARKED = (
    "Anh thương nhớ em, Joël, và quán café bên dòng sông.",
    "สวัสดี ที่รัก คิดถึงเธอ",
    "が\u3099ぎ 雪\u3099 ကျေးဇူး",
    "q\u0301 x\u0304\u0323y नमस्ते שָׁלוֹם",
)


@pytest.mark.parametrize("text", MARKED)
@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_a_combining_mark_fades_with_its_letter(text: str, form: str) -> None:
    faded = states(unicodedata.normalize(form, text))
    assert len(faded) > 1
    for state in faded:
        assert [at for at, char in enumerate(state) if is_mark(char) and state[at - 1].isspace()] == []


def is_mark(char: str) -> bool:
    return unicodedata.category(char)[0] == "M"


@pytest.mark.parametrize("text", MARKED)
@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_the_width_stays_the_same_in_both_normal_forms(text: str, form: str) -> None:
    faded = states(unicodedata.normalize(form, text))
    assert len(faded) > 1
    for state in faded:
        assert width(state) == width(text)


@settings(max_examples=60, deadline=None)
@given(st.text(st.sampled_from("ae\u0301\u0323\u200d กี雪が \u2007\t\n\u1112\u1161한"), max_size=60))
def test_width_stays_and_capacity_falls_with_marks_anywhere(text: str) -> None:
    found = states(text)
    bits = [capacity_bits(state) for state in found]
    assert all(after <= before for before, after in pairwise(bits))
    assert bits[-1] == 0
    assert {width(state) for state in found} == {width(unicodedata.normalize("NFC", text))}
    for before, after in pairwise(found):
        gone = [now != was for was, now in zip(before, after, strict=True)]
        for at in range(1, len(gone)):
            if is_part(before[at]) and not before[at].isspace() and not before[at - 1].isspace():
                assert gone[at] == gone[at - 1]


def test_one_word_in_two_forms_is_counted_as_one() -> None:
    """A word that is there 16 times, 8 of them decomposed, fades after one that is there 11 times."""
    letter = " ".join(["café", "cafe\u0301"] * 8 + ["tea"] * 11)
    cafes_lost = 0
    for _ in range(40):
        cafes = unicodedata.normalize("NFC", fade(letter, 0)).count("café")
        cafes_lost += 16 - cafes
    assert cafes_lost < 40  # of 120


def test_a_vietnamese_letter_is_drawn_as_words_and_not_as_wavy_lines() -> None:
    letter = "Anh thương nhớ em và quán café bên dòng sông đóng băng. " * 3
    faded = states(letter)[:-1]
    assert faded
    for state in faded:
        left = set(state.split())
        assert left <= set(letter.split())
        # No font has this rune, so the page draws a wavy line for each word.
        strokes = "".join(char if char.isspace() else "\u16a0" for char in state)
        shapes = [
            Image.open(io.BytesIO(draw_page(text)))
            .convert("L")
            .point([255] * 140 + [0] * 116)  # ink is darker than 140
            for text in (state, strokes)
        ]
        differing = ImageChops.difference(*shapes).histogram()[255]
        assert differing > 0.5 * shapes[0].histogram()[255] > 0


def test_each_pass_removes_the_same_share_of_words() -> None:
    words = [len(state.split()) for state in states(LETTER)]
    assert words[0] == 44
    assert words[-1] == 0
    assert all(before - after in {3, 4} for before, after in pairwise(words))


def test_line_breaks_and_widths_stay_as_spaces() -> None:
    for state in states(LETTER):
        assert [len(line) for line in state.split("\n")] == [len(line) for line in LETTER.split("\n")]
        assert state.count("\n") == 5
    assert states(LETTER)[-1].count("\u2007") == len("".join(LETTER.split()))


def test_wide_characters_fade_one_by_one_and_leave_wide_spaces() -> None:
    found = states("雪が降るといいのに。")
    assert [len(state.replace("\u3000", "")) for state in found][:3] == [10, 9, 8]
    assert found[-1] == "\u3000" * 10


def test_after_the_last_pass_not_even_the_layout_is_left() -> None:
    assert fade(states(LETTER)[-1], FRAMES) == BLANK == ""
    for level in (-1, FRAMES + 1):
        with pytest.raises(ValueError, match="no such pass"):
            fade(LETTER, level)


def test_rare_words_go_before_common_ones() -> None:
    """In forty letters after half of the passes, mostly common words are left."""
    letter = " ".join(["you"] * 12 + ["lighthouse", "Montauk", "tangerine", "frozen"] + ["and"] * 8)
    rare = common = 0
    for _ in range(40):
        left = states(letter)[6].split()
        rare += sum(word in {"lighthouse", "Montauk", "tangerine", "frozen"} for word in left)
        common += sum(word in {"you", "and"} for word in left)
    assert rare / (40 * 4) < 0.05
    assert common / (40 * 20) > 0.5


def test_the_order_of_equally_rare_words_is_random() -> None:
    letter = " ".join(f"word{number:03}" for number in range(60))
    seen = set()
    for _ in range(20):
        random.seed(3)
        seen.add(fade(letter, 0))
    assert len(seen) > 15


def test_capacity_is_the_number_of_bits_of_the_visible_text() -> None:
    assert capacity_bits("") == 0
    assert capacity_bits(" \u2007\n\u3000") == 0
    assert capacity_bits("nhớ em") == 8 * (5 + 2)


def test_the_page_shows_less_ink_with_fewer_words() -> None:
    inks = [
        sum(Image.open(io.BytesIO(draw_page(state, 300))).convert("L").histogram()[:140])
        for state in states(LETTER)
    ]
    assert inks[0] > 400
    assert all(after <= before + 20 for before, after in pairwise(inks))
    assert inks[-1] == 0
