"""Draw a letter as a picture: a page of cream paper with the words that are left.

Every character has cells of a fixed width, whatever its shape, so that no word moves when another vanishes.
"""

from __future__ import annotations

import io
import math
import os
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw, ImageFilter, ImageFont

GAP = "\u2007"
"""Replaces a vanished character: a figure space, at which lines are not broken."""

WIDE_GAP = "\u3000"
"""Replaces a vanished character of double width, such as a Chinese one."""

PAGE_SIZE = (600, 800)
"""Width and height in pixels of a stored page, as shown on the map and in the session view."""

CREAM = (0xF5, 0xEF, 0xE0)
FIBER = (0xC9, 0xBB, 0x9A)
INK = (0x2E, 0x3A, 0x4E)
RULE = (0xDC, 0xDD, 0xD4)
_MARGIN = 0.11  # of the width, on each side
_ADVANCE = 0.52  # of the type size: width of one cell, the mean advance of a character
_LEADING = 1.62  # of the type size
_LARGEST, _SMALLEST = 0.052, 0.014  # type sizes, of the width
_SLANT = 0.2
_NONEXISTENT = "\U0010ffff"

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


def is_wide(char: str) -> bool:
    """Return whether a character takes two cells."""
    return unicodedata.east_asian_width(char) in "WF"


@dataclass(frozen=True, slots=True)
class _Word:
    text: str
    line: int
    column: int
    cells: int


def page(text: str, width: int = PAGE_SIZE[0], *, font: str | Path | None = None) -> bytes:
    """Return the letter `text` as a JPEG, `width` pixels wide and a third higher, without metadata.

    The type is as large as fits the page, but not too small to see. Text that is too long for a page is cut
    off. `font` is the path of a font file, by default Pillow's own (Latin only). Words with characters that
    the font does not have are drawn as a wavy stroke of ink.
    """
    height = round(width * 4 / 3)
    margin = round(width * _MARGIN)
    size, words = _typeset(text, width - 2 * margin, height - 2 * margin, width)
    face: Font = ImageFont.truetype(str(font), size) if font else ImageFont.load_default(size)
    leading = size * _LEADING
    paper = _draw_paper(width, height, margin + size * 1.15, leading)
    can_draw: dict[str, bool] = {}
    for word in words:
        advance = word.cells * size * _ADVANCE
        drawable = all(can_draw.setdefault(char, _can_draw(face, char)) for char in word.text)
        ink = _draw_word(word.text, face, advance, size) if drawable else _draw_stroke(advance, size)
        wobble = size * 0.05 * math.sin(12.9 * word.line + 4.7 * word.column)
        at = (round(margin + word.column * size * _ADVANCE), round(margin + word.line * leading + wobble))
        paper.paste(INK, (*at, at[0] + ink.width, at[1] + ink.height), ink)
    buffer = io.BytesIO()
    paper.save(buffer, "JPEG", quality=86)
    return buffer.getvalue()


def _typeset(text: str, width: float, height: float, page_width: int) -> tuple[int, list[_Word]]:
    """Return the type size in pixels with which `text` fits, and its words with their positions.

    Gaps count like words, so that the size does not change while words vanish.
    """
    size = max(4, round(page_width * _LARGEST))
    smallest = max(3, round(page_width * _SMALLEST))
    while True:
        lines = int(height / (size * _LEADING))
        pieces: list[_Word] = []
        for piece in _lay_out(text, max(8, int(width / (size * _ADVANCE)))):
            if piece.line >= lines:
                break
            pieces.append(piece)
        else:
            smallest = size
        if size <= smallest:
            return size, [piece for piece in pieces if not piece.text.isspace()]
        size = max(smallest, min(size - 1, round(size * 0.93)))


def _lay_out(text: str, columns: int) -> Iterator[_Word]:
    """Yield words and gaps with their positions in lines of `columns` cells."""
    line = 0
    for paragraph in text.split("\n"):
        column = 0
        for piece in _split(paragraph.expandtabs(4)):
            cells = sum(2 if is_wide(char) else 1 for char in piece)
            if column and column + cells > columns:
                line, column = line + 1, 0
            if piece != " ":
                yield _Word(piece, line, column, cells)
            elif column == 0:
                continue
            column += cells
        line += 1


def _split(paragraph: str) -> Iterator[str]:
    """Yield words, spaces and single characters of double width. Lines may be broken between them."""
    piece = ""
    for char in paragraph:
        if char == " " or is_wide(char):
            if piece:
                yield piece
            yield char
            piece = ""
        else:
            piece += char
    if piece:
        yield piece


def _can_draw(face: Font, char: str) -> bool:
    """Return whether the font has a character. One that it lacks looks like one that no font has."""
    return char.isspace() or bytes(face.getmask(char)) != bytes(face.getmask(_NONEXISTENT))


def _draw_word(text: str, face: Font, advance: float, size: int) -> Image.Image:
    """Draw a word, slanted, and compressed or stretched a little toward the width of its cells."""
    natural = max(1.0, face.getlength(text))
    stretch = min(1.12, max(0.8, 0.97 * advance / natural))
    height = round(size * 1.5)
    lean = _SLANT * size
    flat = Image.new("L", (round(natural + size), height), 0)
    ImageDraw.Draw(flat).text((0, 0), text, fill=238, font=face)
    shape = (1 / stretch, _SLANT / stretch, -lean / stretch, 0, 1, 0)
    width = round(natural * stretch + lean + 2)
    return flat.transform((width, height), Image.Transform.AFFINE, shape, Image.Resampling.BICUBIC)


def _draw_stroke(advance: float, size: int) -> Image.Image:
    """Draw a wavy line in place of a word that the font cannot draw."""
    scale = 4
    ink = Image.new("L", (max(1, round(advance)) * scale, round(size * 1.5) * scale), 0)
    steps = max(6, round(advance / size * 24))
    wave = [
        (
            ink.width * 0.92 * step / steps,
            scale * size * (0.86 - 0.17 * math.sin(step * 0.55) * math.cos(step)),
        )
        for step in range(steps + 1)
    ]
    ImageDraw.Draw(ink).line(wave, fill=215, width=max(2, scale * size // 11), joint="curve")
    return ink.resize((ink.width // scale, ink.height // scale), Image.Resampling.BOX)


def _draw_paper(width: int, height: int, first: float, leading: float) -> Image.Image:
    """Draw cream paper with faint rules. Its fibers are random each time."""
    coarse = (width // 3 + 1, height // 3 + 1)
    grain = Image.frombytes("L", coarse, os.urandom(coarse[0] * coarse[1])).filter(
        ImageFilter.GaussianBlur(0.8)
    )
    shade = grain.point([max(0, round(14 + (v - 128) * 0.12)) for v in range(256)])
    paper = Image.new("RGB", (width, height), CREAM)
    pen = ImageDraw.Draw(paper)
    y = first
    while y < height - _MARGIN * width / 2:
        pen.line([(_MARGIN * width * 0.6, y), (width * (1 - _MARGIN * 0.6), y)], RULE, 1)
        y += leading
    paper.paste(FIBER, mask=shade.resize((width, height), Image.Resampling.BICUBIC))
    return paper
