"""The cells of a letter's page: how many each character takes, and what replaces a vanished character.

A letter is written text that a patient brought; a letter of the alphabet is called a character here. Each
takes 0, 1 or 2 cells of a fixed width, whatever its shape. So no word moves when another vanishes. A cluster
is a character with the marks that belong to it.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from functools import lru_cache

GAP = "\u2007"
"""Replaces a vanished character: a figure space, at which lines are not broken."""

WIDE_GAP = "\u3000"
"""Replaces a vanished character of double width, such as a Chinese one."""

MARK_GAP = "\u200a"
"""Replaces a vanished character that has no cell of its own, such as a combining accent: a hair space."""

TAB_CELLS = 4

# Vowels and final consonants of Korean that is stored in parts. They are drawn in the cell of the first
# consonant.
_KOREAN_PARTS = frozenset(map(chr, [*range(0x1160, 0x1200), *range(0xD7B0, 0xD7FC)]))


def is_wide(char: str) -> bool:
    """Return whether a character takes two cells."""
    return cells_of(char) == 2


def is_part(char: str) -> bool:
    """Return whether a character takes no cell: it belongs to the one before, like an accent or a joiner."""
    return cells_of(char) == 0


def is_invisible(char: str) -> bool:
    """Return whether there is nothing to draw for a character: a space, a joiner or a variation selector."""
    if unicodedata.category(char) == "Cf":
        return unicodedata.bidirectional(char) != "AN"  # the Arabic number signs are seen
    return char.isspace() or unicodedata.name(char, "").startswith("VARIATION SELECTOR")


@lru_cache(maxsize=4096)
def cells_of(char: str) -> int:
    """Return how many cells a character takes: 0, 1 or 2."""
    if char == MARK_GAP or char in _KOREAN_PARTS or unicodedata.category(char) in ("Mn", "Mc", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def width(text: str) -> int:
    """Return how many cells a text takes. It must have no tabs or line breaks."""
    return sum(map(cells_of, text))


def gap(char: str) -> str:
    """Return the space that replaces a vanished character. It takes as many cells."""
    return (MARK_GAP, GAP, WIDE_GAP)[cells_of(char)]


def clusters(text: str) -> Iterator[str]:
    """Yield each character together with the marks that belong to it, spaces included."""
    start = 0
    for end in range(1, len(text) + 1):
        if end == len(text) or not is_part(text[end]):
            yield text[start:end]
            start = end


def without_tabs(paragraph: str) -> str:
    """Return a paragraph in which each tab is replaced by spaces up to the next multiple of `TAB_CELLS`."""
    if "\t" not in paragraph:
        return paragraph
    pieces: list[str] = []
    column = 0
    for char in paragraph:
        piece = " " * (TAB_CELLS - column % TAB_CELLS) if char == "\t" else char
        pieces.append(piece)
        column += width(piece)
    return "".join(pieces)
