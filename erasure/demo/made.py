"""What Joel brings beside pictures and plain words: a letter she typed, as a PDF, and her voice on a machine.

Made here each time, from the story alone; the same key is the same keepsake.
"""

from __future__ import annotations

import io
import math
import random
from array import array

import av
import pikepdf

from erasure.demo import story
from erasure.demo.paintings.paint import paint_thing

LETTER_PAPER = (612, 792)  # points: what printers in New York hold
_TYPE, _LEADING, _MARGIN = 12, 19, 84
_RATE = 8000  # a telephone's
_VOWELS = ((730, 1090), (530, 1840), (270, 2290), (570, 840), (440, 1020))  # Peterson and Barney, 1952
_SYLLABLES_A_SECOND = 4.3


def make(key: str) -> tuple[str, bytes]:
    """Name and bytes of the story's keepsake with this key. Errors: KeyError for none."""
    thing = next((one for moment in story.MOMENTS for one in moment.things if one.key == key), None)
    if thing is None:
        raise KeyError(key)
    if thing.words:
        return f"{key}.txt", thing.words.encode()
    if thing.pages:
        return f"{key}.pdf", typed(thing.pages)
    if thing.said:
        return f"{key}.mp3", spoken(thing.said, thing.seed)
    return f"{key}.jpg", paint_thing(key)


def typed(pages: tuple[str, ...]) -> bytes:
    """A letter as an office program prints it: Courier on letter paper, a page of text each."""
    document = pikepdf.new()
    face = pikepdf.Dictionary(
        Type=pikepdf.Name.Font, Subtype=pikepdf.Name.Type1, BaseFont=pikepdf.Name.Courier
    )
    font = document.make_indirect(face)
    for text in pages:
        page = pikepdf.Dictionary(
            Type=pikepdf.Name.Page,
            MediaBox=pikepdf.Array([0, 0, *LETTER_PAPER]),
            Resources=pikepdf.Dictionary(Font=pikepdf.Dictionary(F1=font)),
            Contents=document.make_stream(_set(text)),
        )
        document.pages.append(pikepdf.Page(document.make_indirect(page)))
    out = io.BytesIO()
    document.save(out, deterministic_id=True)
    return out.getvalue()


def _set(text: str) -> bytes:
    lines = [line.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)") for line in text.split("\n")]
    drawn = " ".join(f"({line}) Tj T*" for line in lines)
    top = LETTER_PAPER[1] - _MARGIN
    return f"BT /F1 {_TYPE} Tf {_LEADING} TL {_MARGIN} {top} Td {drawn} ET".encode("latin-1")


def spoken(words: str, seed: int) -> bytes:
    """A voice that murmurs through `words` on an old machine, as MP3: nobody could say what it says.

    A syllable for each group of letters, a pause for each sign of punctuation.
    """
    chance = random.Random(seed)  # noqa: S311 - a voice in a story
    samples = array("h")
    for word in words.split():
        for _ in range(max(1, round(len(word) / 3))):
            samples.extend(_syllable(chance))
        pause = 0.5 if word[-1] in ".?!" else 0.22 if word[-1] in ",;:" else 0.03
        samples.extend(round(chance.gauss(0, 60)) for _ in range(round(pause * _RATE)))
    return _mp3(samples)


def _syllable(chance: random.Random) -> list[int]:
    """A vowel at her pitch, swelling and falling off."""
    count = round(_RATE / _SYLLABLES_A_SECOND * chance.uniform(0.75, 1.3))
    pitch, loud = chance.uniform(185, 235), chance.uniform(0.35, 1.0)
    first, second = chance.choice(_VOWELS)
    tones = [
        (number * pitch, math.exp(-(((number * pitch - first) / 160) ** 2)) + 0.5 * near / number**0.5)
        for number in range(1, 13)
        for near in (math.exp(-(((number * pitch - second) / 240) ** 2)),)
    ]
    audible = [(2 * math.pi * tone / _RATE, strength) for tone, strength in tones if strength > 0.05]
    wave = []
    for at in range(count):
        swell = math.sin(math.pi * at / count) ** 0.7
        value = sum(strength * math.sin(step * at) for step, strength in audible)
        wave.append(round(max(-1.0, min(1.0, value * swell * loud * 0.5)) * 24000 + chance.gauss(0, 60)))
    return wave


def _mp3(samples: array[int]) -> bytes:
    out = io.BytesIO()
    with av.open(out, "w", format="mp3") as target:
        stream = target.add_stream("libmp3lame", rate=_RATE)
        stream.layout = "mono"
        for start in range(0, len(samples) - 576, 576):
            frame = av.AudioFrame(format="s16", layout="mono", samples=576)
            frame.planes[0].update(samples[start : start + 576].tobytes())
            frame.sample_rate, frame.pts = _RATE, start
            target.mux(stream.encode(frame))
        target.mux(stream.encode(None))
    return out.getvalue()
