"""What the fonts of papers can draw, letter by letter."""

from unicodedata import normalize

import pytest

from clinic.papers import typesetting
from clinic.papers.typesetting import MOST_TRIED, can_draw, drawable


@pytest.mark.parametrize(
    "text", ["Nguyễn Ánh", "Ελένη", "Жанна", "נועה", "Zoë", normalize("NFD", "Nguyễn Ánh")]
)
def test_letters_that_a_font_has_stay_and_are_composed(text: str) -> None:
    assert drawable(text, "vi") == normalize("NFC", text)


@pytest.mark.parametrize(
    ("text", "shown"), [("Jo 王 in Ελλάδα", "Jo ? in Ελλάδα"), ("किरण", "???"), ("J\u0007o 👩", "J?o ?")]
)
def test_only_letters_that_no_font_has_become_question_marks(text: str, shown: str) -> None:
    assert drawable({"a": [text, "plain"], "b": text}, "en") == {"a": [shown, "plain"], "b": shown}


def test_many_letters_of_a_script_that_no_font_has_take_few_trials(monkeypatch: pytest.MonkeyPatch) -> None:
    trials = []

    def counted(text: str, language: str) -> bool:
        trials.append(text)
        return can_draw(text, language)

    monkeypatch.setattr(typesetting, "can_draw", counted)
    many = "".join(chr(0x4E00 + n) for n in range(500))
    assert drawable([many, "Жанна"], "en") == ["?" * 500, "Жанна"]
    assert len(trials) <= 4 < MOST_TRIED
