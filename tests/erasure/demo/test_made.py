"""What the demonstration makes beside paintings: small, the same each time, and taken as everything is."""

import io

import pytest

from erasure.demo.made import make, spoken
from erasure.demo.story import MACHINE, MOMENTS, TERMS
from patients.imaging.decode import DecodedLetter, DecodedMedia, DecodedPages, decode


def test_the_typed_letter_is_a_pdf_of_two_pages() -> None:
    name, data = make("terms")
    assert (name, len(data) < 8_000) == ("terms.pdf", True)
    found = decode(io.BytesIO(data), name)
    assert isinstance(found, DecodedPages)
    assert (found.pages, len(found.prints)) == (len(TERMS), len(TERMS))
    assert make("terms")[1] == data


def test_its_lines_fit_the_paper() -> None:
    for page in TERMS:
        assert max(map(len, page.split("\n"))) * 7.2 + 84 < 612 - 40
        assert page.count("\n") * 19 + 84 < 792 - 60


def test_her_voice_is_a_recording_of_a_few_seconds() -> None:
    name, data = make("machine")
    assert (name, len(data) < 150_000) == ("machine.mp3", True)
    found = decode(io.BytesIO(data), name)
    assert isinstance(found, DecodedMedia)
    assert (found.moving, found.media_type, 10 < found.seconds < 40) == (False, "audio/mpeg", True)
    assert found.sound != ""
    assert spoken(MACHINE, 4) == data != spoken(MACHINE, 5)


def test_a_letter_is_its_words_and_nothing_is_made_of_nothing() -> None:
    letter = next(thing for moment in MOMENTS for thing in moment.things if thing.words)
    name, data = make(letter.key)
    found = decode(io.BytesIO(data), name)
    assert isinstance(found, DecodedLetter)
    assert found.text.split() == letter.words.split()
    with pytest.raises(KeyError):
        make("nothing")
