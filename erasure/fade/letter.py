"""Fade a letter: its words vanish, pass by pass, and leave gaps of the same width.

The state of a letter is only its text. Each pass is computed from the state before it and fresh randomness of
the operating system. Each vanished character is replaced by a space of its width, so that the lines do not
move. The words that are rarest in the remaining text vanish first, because they tell most. The influence of
chance grows with each pass, so that the order of the last words is random.

As with photos, two different fades of one state must never both exist: words that vanished in one may still
be in the other. If a computed state was stored but no row points to it, destroy its key before computing the
pass again.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from random import SystemRandom

from patients.imaging.letter_cells import GAP, WIDE_GAP, gap, is_part
from patients.imaging.letter_page import PAGE_SIZE, draw_page

from .photo import FRAMES

__all__ = ["BLANK", "FRAMES", "GAP", "PAGE_SIZE", "WIDE_GAP", "capacity_bits", "draw_page", "fade"]

BLANK = ""
"""The final state, without even the gaps."""

# Scripts without spaces between words vanish character by character, each with its marks.
_WORD = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"
    "|[^\\s\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]+"
)
_random = SystemRandom()


def fade(state: str, level: int) -> str:
    """Return state `level` + 1, computed from `state`, which is state `level` (0 is the whole letter).

    An equal share of the words vanishes in each pass. After the last pass only gaps and line breaks are left.
    At level `FRAMES` the result is `BLANK`. Errors: ValueError for any other level.
    """
    if level == FRAMES:
        return BLANK
    if not 0 <= level < FRAMES:
        raise ValueError("there is no such pass")
    words = list(_words(state))
    ranked = _ranked([state[start:end] for start, end in words], level)
    vanishing = sorted(ranked)[: math.ceil(len(words) / (FRAMES - level))]
    chars = list(state)
    for _, index in vanishing:
        start, end = words[index]
        chars[start:end] = map(gap, state[start:end])
    return "".join(chars)


def capacity_bits(state: str) -> int:
    """Return the most information a state can contain: eight bits per byte of its UTF-8, without spaces."""
    return 8 * len("".join(state.split()).encode())


def _words(state: str) -> Iterator[tuple[int, int]]:
    """Yield the start and the end of each word. A mark goes with the letter before it, in every script."""
    start = end = 0
    for found in _WORD.finditer(state):
        rest = found.start()
        if rest == end:
            while rest < found.end() and is_part(state[rest]):
                rest += 1
            end = rest
        if rest < found.end():
            if end:
                yield start, end
            start, end = rest, found.end()
    if end:
        yield start, end


def _ranked(words: list[str], level: int) -> Iterator[tuple[float, int]]:
    """Yield a score and the index of each word. Words with the lowest scores vanish first.

    The score depends on how often the word occurs, on its length and on chance.
    """
    normalized = [_normalized(word) for word in words]
    counts = Counter(normalized)
    for index, word in enumerate(normalized):
        score = 2 * math.log2(counts[word]) - math.log2(1 + len(word))
        yield score + _random.gauss(0, 0.5 + 0.5 * level), index


def _normalized(word: str) -> str:
    """Return a word in composed form, without case, punctuation and symbols."""
    composed = unicodedata.normalize("NFC", word.casefold())
    return "".join(char for char in composed if unicodedata.category(char)[0] in "LMN")
