"""Draw a letter as a picture: a page of cream paper with the words that have not vanished.

Text is drawn in its composed form (NFC), whatever form is stored. A wavy stroke replaces characters that no
typeface has.
"""

from __future__ import annotations

import io
import math
import os
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from PIL import Image, ImageDraw, ImageFilter

from .letter_cells import clusters, is_invisible, is_part, is_wide, without_tabs
from .letter_cells import width as cells_in
from .letter_faces import face, face_of

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
_BASELINE = 1.07  # of the type size: from the top of a word's picture down to the line on which it stands


@dataclass(frozen=True, slots=True)
class _Word:
    """A word or a gap and its position: line and column of cells, counted from 0, and its width in cells."""

    text: str
    line: int
    column: int
    cells: int


def draw_page(text: str, width: int = PAGE_SIZE[0], *, font: str | Path | None = None) -> bytes:
    """Return the letter `text` as a JPEG, `width` pixels wide and a third higher, without metadata.

    The type is as large as fits the page, down to a smallest size. Text that is too long for the page at this
    size is cut off. font: the path of a font file to try before our own. Characters that no font has are
    drawn as a wavy stroke of ink.
    """
    height = round(width * 4 / 3)
    margin = round(width * _MARGIN)
    size, words, _ = _typeset(text, width)
    leading = size * _LEADING
    paper = _draw_paper(width, height, margin + size * 1.15, leading)
    for word in words:
        ink = _draw_word(word, size, str(font or ""))
        # As by hand, each word stands a little higher or lower. How much depends only on its position.
        wobble = size * 0.05 * math.sin(12.9 * word.line + 4.7 * word.column)
        left = round(margin + word.column * size * _ADVANCE) - _overhang(size)
        top = round(margin + word.line * leading + wobble)
        paper.paste(INK, (left, top, left + ink.width, top + ink.height), ink)
    buffer = io.BytesIO()
    paper.save(buffer, "JPEG", quality=86)
    return buffer.getvalue()


def count_undrawn(text: str) -> int:
    """Return how many characters of `text` a page does not show: no font has them, or the page is full."""
    _, words, cut_off = _typeset(text, PAGE_SIZE[0])
    lacking = sum(face_of(cluster) is None for word in words for cluster in clusters(word.text))
    return lacking + cut_off


def _typeset(text: str, width: int) -> tuple[int, list[_Word], int]:
    """Return the type size in pixels at which `text` fits, its words, and how many characters have no room.

    width: of the page, in pixels. Gaps are laid out like words. So the size does not change as words vanish.
    """
    text = unicodedata.normalize("NFC", text)
    inner = [side - 2 * round(width * _MARGIN) for side in (width, round(width * 4 / 3))]
    size = max(4, round(width * _LARGEST))
    smallest = max(3, round(width * _SMALLEST))
    while True:
        lines = int(inner[1] / (size * _LEADING))
        pieces: list[_Word] = []
        cut_off = 0
        for piece in _lay_out(text, max(8, int(inner[0] / (size * _ADVANCE)))):
            if piece.line < lines:
                pieces.append(piece)
                continue
            if size > smallest:
                break  # it does not fit: try a smaller size
            cut_off += sum(not is_invisible(cluster[0]) for cluster in clusters(piece.text))
        else:
            return size, [word for piece in pieces for word in _words(piece)], cut_off
        size = max(smallest, min(size - 1, round(size * 0.93)))


def _lay_out(text: str, columns: int) -> Iterator[_Word]:
    """Yield words and gaps with their positions in lines of `columns` cells."""
    line = 0
    for paragraph in text.split("\n"):
        column = 0
        for piece in _split(without_tabs(paragraph)):
            cells = cells_in(piece)
            if column and column + cells > columns:
                line, column = line + 1, 0
            if piece != " ":
                yield _Word(piece, line, column, cells)
            elif column == 0:
                continue
            column += cells
        line += 1


def _words(piece: _Word) -> Iterator[_Word]:
    """Yield the parts of a piece between its gaps.

    Each is drawn by itself, so that it looks the same before and after the word beside it vanishes.
    """
    for part in re.finditer(r"\S+", piece.text):
        before = cells_in(piece.text[: part.start()])
        yield _Word(part.group(), piece.line, piece.column + before, cells_in(part.group()))


def _split(paragraph: str) -> Iterator[str]:
    """Yield words, spaces and single characters of double width. Lines may be broken between them."""
    piece = ""
    for char in paragraph:
        breaks = char == " " or is_wide(char)
        if piece and (breaks or (is_wide(piece[0]) and not is_part(char))):
            yield piece
            piece = ""
        if char == " ":
            yield char
        else:
            piece += char
    if piece:
        yield piece


def _overhang(size: int) -> int:
    """Return how far a character may reach beyond its cells on each side, in pixels."""
    return math.ceil(size / 3)


def _draw_word(word: _Word, size: int, first: str) -> Image.Image:
    """Draw a word, compressed or stretched a little toward the width of its cells.

    `first` is the path of a font to try before ours. The picture is wider than the word by an overhang on
    each side.
    """
    runs: list[tuple[str | None, str, float]] = []
    for path, together in groupby(clusters(word.text), key=lambda cluster: face_of(cluster, first)):
        run = "".join(char for cluster in together for char in cluster if not is_invisible(char))
        natural = face(path, size).getlength(run) if path else cells_in(run) * size * _ADVANCE
        runs.append((path, run, natural))
    overhang = _overhang(size)
    advance = word.cells * size * _ADVANCE
    total = max(1.0, sum(natural for _, _, natural in runs))
    flat = Image.new("L", (math.ceil(total) + 2 * overhang, round(size * 1.5)), 0)
    pen = ImageDraw.Draw(flat)
    x = float(overhang)
    for path, run, natural in runs:
        if path:
            pen.text((x, size * _BASELINE), run, fill=238, font=face(path, size), anchor="ls")
        elif natural:
            flat.paste(238, (round(x), 0), _draw_stroke(natural, size))
        x += natural
    stretch = min(1.12, max(0.8, 0.97 * advance / total))
    # Pillow's matrix leads from the new picture to the old one. It keeps the left overhang as wide as it was.
    shape = (1 / stretch, 0, overhang * (1 - 1 / stretch), 0, 1, 0)
    width = math.ceil(total * stretch) + 2 * overhang
    return flat.transform((width, flat.height), Image.Transform.AFFINE, shape, Image.Resampling.BICUBIC)


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


def paste_fibers(paper: Image.Image) -> None:
    """Draw the fibers of paper over a picture, faint, and at random places each time."""
    coarse = (paper.width // 3 + 1, paper.height // 3 + 1)
    noise = Image.frombytes("L", coarse, os.urandom(coarse[0] * coarse[1]))
    strength = noise.filter(ImageFilter.GaussianBlur(0.8)).point(
        [max(0, round(14 + (value - 128) * 0.12)) for value in range(256)]
    )
    paper.paste(FIBER, mask=strength.resize(paper.size, Image.Resampling.BICUBIC))


def _draw_paper(width: int, height: int, first_rule: float, leading: float) -> Image.Image:
    """Draw cream paper with faint rules: the first at `first_rule` pixels, then one each `leading`."""
    paper = Image.new("RGB", (width, height), CREAM)
    pen = ImageDraw.Draw(paper)
    y = first_rule
    while y < height - _MARGIN * width / 2:
        pen.line([(_MARGIN * width * 0.6, y), (width * (1 - _MARGIN * 0.6), y)], RULE, 1)
        y += leading
    paste_fibers(paper)
    return paper
