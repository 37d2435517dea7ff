"""How a letter fades: its words vanish, pass by pass, and the gaps keep their places.

A letter's state is its text alone. Each pass is computed from the state before it and fresh randomness of
the operating system. What vanishes is replaced by one space of its width for each sign, so that the lines
stay as they were. The words that are rarest in what is left go first, since they say most; chance has a
growing part in it, until the last ones go in an order that nobody chose.

As with photos, two different fades of one state must never both exist: what one took the other may have kept.
An orphan's key is destroyed before its pass is computed again.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from random import SystemRandom

from patients.imaging.letter_page import GAP, PAGE_SIZE, WIDE_GAP, is_wide, page

from .photo import FRAMES

__all__ = ["BLANK", "FRAMES", "GAP", "PAGE_SIZE", "WIDE_GAP", "capacity_bits", "fade", "page"]

BLANK = ""
"""The state after the last: not even the gaps."""

# Scripts that put no spaces between words vanish sign by sign, with the marks that belong to each.
_WORD = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"
    "|[^\\s\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]+"
)
_chance = SystemRandom()


def fade(state: str, level: int) -> str:
    """State `level` + 1 from `state`, which is state `level` (0 is the whole letter).

    An equal share of the words that are left vanishes in each pass. After the last pass only layout remains,
    and fading that once more, at level `FRAMES`, leaves `BLANK`. Raises ValueError for any other level.
    """
    if level == FRAMES:
        return BLANK
    if not 0 <= level < FRAMES:
        raise ValueError("there is no such pass")
    words = list(_WORD.finditer(state))
    leaving = sorted(_in_order(words, level))[: math.ceil(len(words) / (FRAMES - level))]
    signs = list(state)
    for _, place in leaving:
        start, end = words[place].span()
        signs[start:end] = [WIDE_GAP if is_wide(sign) else GAP for sign in words[place].group()]
    return "".join(signs)


def capacity_bits(state: str) -> int:
    """The most that a state can hold: eight bits for each byte of its signs in UTF-8, spaces left out."""
    return 8 * len("".join(state.split()).encode())


def _in_order(words: list[re.Match[str]], level: int) -> Iterator[tuple[float, int]]:
    """How early each word vanishes, by how often it is there and how long it is, and by chance."""
    plain = [_plain(word.group()) for word in words]
    often = Counter(plain)
    for place, word in enumerate(plain):
        familiar = 2 * math.log2(often[word]) - math.log2(1 + len(word))
        yield familiar + _chance.gauss(0, 0.5 + 0.5 * level), place


def _plain(word: str) -> str:
    """A word without case and the signs around it."""
    return "".join(sign for sign in word.casefold() if unicodedata.category(sign)[0] in "LMN")
