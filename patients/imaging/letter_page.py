"""A letter as a picture: a page of cream paper with what is left of its words.

Every sign has a fixed room on the page, whatever its shape, so that no word moves when another vanishes.
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
"""What a vanished sign leaves: a figure space, which no line is broken at."""

WIDE_GAP = "\u3000"
"""What a vanished sign of double width leaves, such as a Chinese one."""

PAGE_SIZE = (600, 800)
"""Width and height in pixels of a page as it is stored: the map's print and the stage's sheet."""

CREAM = (0xF5, 0xEF, 0xE0)
FIBER = (0xC9, 0xBB, 0x9A)
INK = (0x2E, 0x3A, 0x4E)
RULE = (0xDC, 0xDD, 0xD4)
_MARGIN = 0.11  # of the width, on each side
_ROOM = 0.52  # of the type size: the mean advance of a sign
_LEADING = 1.62  # of the type size
_LARGEST, _SMALLEST = 0.052, 0.014  # type sizes, of the width
_SLANT = 0.2
_NOWHERE = "\U0010ffff"

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


def is_wide(sign: str) -> bool:
    """Whether a sign takes the room of two."""
    return unicodedata.east_asian_width(sign) in "WF"


@dataclass(frozen=True, slots=True)
class _Word:
    text: str
    line: int
    column: int
    rooms: int


def page(text: str, width: int = PAGE_SIZE[0], *, font: str | Path | None = None) -> bytes:
    """The letter `text` as a JPEG, `width` pixels wide and a third higher, without metadata.

    Type is as large as fits the page and no smaller than one can see; what is too long for a page is cut
    off. `font` is the path of a font file, Pillow's own (Latin only) by default. Words for which the font has
    no signs are drawn as a stroke of ink.
    """
    height = round(width * 4 / 3)
    margin = round(width * _MARGIN)
    size, words = _set(text, width - 2 * margin, height - 2 * margin, width)
    face: Font = ImageFont.truetype(str(font), size) if font else ImageFont.load_default(size)
    leading = size * _LEADING
    paper = _paper(width, height, margin + size * 1.15, leading)
    known: dict[str, bool] = {}
    for word in words:
        room = word.rooms * size * _ROOM
        written = all(known.setdefault(sign, _has(face, sign)) for sign in word.text)
        ink = _written(word.text, face, room, size) if written else _stroke(room, size)
        wobble = size * 0.05 * math.sin(12.9 * word.line + 4.7 * word.column)
        at = (round(margin + word.column * size * _ROOM), round(margin + word.line * leading + wobble))
        paper.paste(INK, (*at, at[0] + ink.width, at[1] + ink.height), ink)
    buffer = io.BytesIO()
    paper.save(buffer, "JPEG", quality=86)
    return buffer.getvalue()


def _set(text: str, width: float, height: float, page_width: int) -> tuple[int, list[_Word]]:
    """The type size in pixels with which `text` fits, and its words with their places.

    Gaps count as words do, so that the size stays the same while words vanish.
    """
    size = max(4, round(page_width * _LARGEST))
    smallest = max(3, round(page_width * _SMALLEST))
    while True:
        lines = int(height / (size * _LEADING))
        pieces: list[_Word] = []
        for piece in _placed(text, max(8, int(width / (size * _ROOM)))):
            if piece.line >= lines:
                break
            pieces.append(piece)
        else:
            smallest = size
        if size <= smallest:
            return size, [piece for piece in pieces if not piece.text.isspace()]
        size = max(smallest, min(size - 1, round(size * 0.93)))


def _placed(text: str, columns: int) -> Iterator[_Word]:
    """Words and gaps in lines of so many columns."""
    line = 0
    for paragraph in text.split("\n"):
        column = 0
        for piece in _pieces(paragraph.expandtabs(4)):
            rooms = sum(2 if is_wide(sign) else 1 for sign in piece)
            if column and column + rooms > columns:
                line, column = line + 1, 0
            if piece != " ":
                yield _Word(piece, line, column, rooms)
            elif column == 0:
                continue
            column += rooms
        line += 1


def _pieces(paragraph: str) -> Iterator[str]:
    """Words, spaces and signs of double width: where a line may be broken."""
    piece = ""
    for sign in paragraph:
        if sign == " " or is_wide(sign):
            if piece:
                yield piece
            yield sign
            piece = ""
        else:
            piece += sign
    if piece:
        yield piece


def _has(face: Font, sign: str) -> bool:
    """Whether the font can draw a sign: those it can't all look like the one that never exists."""
    return sign.isspace() or bytes(face.getmask(sign)) != bytes(face.getmask(_NOWHERE))


def _written(text: str, face: Font, room: float, size: int) -> Image.Image:
    """A word's ink, slanted, and drawn in or out a little to its room, as a hand does."""
    natural = max(1.0, face.getlength(text))
    stretch = min(1.12, max(0.8, 0.97 * room / natural))
    height = round(size * 1.5)
    lean = _SLANT * size
    flat = Image.new("L", (round(natural + size), height), 0)
    ImageDraw.Draw(flat).text((0, 0), text, fill=238, font=face)
    shape = (1 / stretch, _SLANT / stretch, -lean / stretch, 0, 1, 0)
    width = round(natural * stretch + lean + 2)
    return flat.transform((width, height), Image.Transform.AFFINE, shape, Image.Resampling.BICUBIC)


def _stroke(room: float, size: int) -> Image.Image:
    """A word that the font cannot write, as one sees it from afar: a wave of ink."""
    scale = 4
    ink = Image.new("L", (max(1, round(room)) * scale, round(size * 1.5) * scale), 0)
    steps = max(6, round(room / size * 24))
    wave = [
        (
            ink.width * 0.92 * step / steps,
            scale * size * (0.86 - 0.17 * math.sin(step * 0.55) * math.cos(step)),
        )
        for step in range(steps + 1)
    ]
    ImageDraw.Draw(ink).line(wave, fill=215, width=max(2, scale * size // 11), joint="curve")
    return ink.resize((ink.width // scale, ink.height // scale), Image.Resampling.BOX)


def _paper(width: int, height: int, first: float, leading: float) -> Image.Image:
    """Cream paper with faint rules; its fibers are fresh each time."""
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
