"""A recording as a picture: what was loud and what was quiet, in ink on a strip of paper; and its digest."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from itertools import pairwise

from PIL import Image, ImageDraw, ImageFilter

from .letter_page import CREAM, FIBER, INK, RULE

SIZE = (1280, 512)
"""Width and height in pixels of the picture of a recording."""

_BARS = 160
_WINDOWS = 65
_LOUD = 0.02  # of full scale: what stays below it is silence
_MARGIN = 0.045  # of the width, on each side
_SCALE = 2  # drawn larger, then made smaller, for smooth edges


def waveform(peaks: Sequence[int]) -> Image.Image:
    """The picture of a recording of which `peaks` are the largest amplitudes (0 to 32768), evenly in time.

    A quiet recording is drawn as large as a loud one: what it looks like must not tell how near the
    microphone was. Raises ValueError for no peaks.
    """
    loudness = _spread(peaks, _BARS)
    largest = max(*loudness, _LOUD * 32768)
    width, height = SIZE[0] * _SCALE, SIZE[1] * _SCALE
    ink = Image.new("L", (width, height), 0)
    pen = ImageDraw.Draw(ink)
    margin = width * _MARGIN
    step = (width - 2 * margin) / _BARS
    for number, value in enumerate(loudness):
        reach = max(step * 0.22, math.sqrt(value / largest) * height * 0.40)
        x = margin + (number + 0.5) * step
        box = (x - step * 0.27, height / 2 - reach, x + step * 0.27, height / 2 + reach)
        pen.rounded_rectangle(box, radius=step * 0.27, fill=232)
    paper = _paper()
    paper.paste(INK, mask=ink.resize(SIZE, Image.Resampling.BOX))
    return paper


def digest(peaks: Sequence[int]) -> int | None:
    """64 bits of a recording for `patients.imaging.fingerprint.distance`: where it grows louder than before.

    The length is cut into 65 windows, so a copy in another format, louder or quieter, keeps its bits, and one
    that was cut does not. None where that says nothing: silence, a steady tone, less than a second.
    """
    if len(peaks) < _WINDOWS or max(peaks) < _LOUD * 32768:
        return None
    windows = _means(peaks, _WINDOWS)
    bits = sum(
        (later > 1.02 * before + 1) << place for place, (before, later) in enumerate(pairwise(windows))
    )
    return bits if 10 <= bits.bit_count() <= 54 else None


def _spread(peaks: Sequence[int], count: int) -> list[float]:
    if not peaks:
        raise ValueError("there is nothing to hear")
    edges = [len(peaks) * number // count for number in range(count + 1)]
    return [
        max(peaks[min(start, len(peaks) - 1) : max(end, start + 1)] or peaks[-1:])
        for start, end in pairwise(edges)
    ]


def _means(peaks: Sequence[int], count: int) -> list[float]:
    edges = [len(peaks) * number // count for number in range(count + 1)]
    return [sum(peaks[start:end]) / (end - start) for start, end in pairwise(edges)]


def _paper() -> Image.Image:
    """Cream paper with three faint rules; its fibers are fresh each time."""
    width, height = SIZE
    coarse = (width // 3 + 1, height // 3 + 1)
    grain = Image.frombytes("L", coarse, os.urandom(coarse[0] * coarse[1]))
    shade = grain.filter(ImageFilter.GaussianBlur(0.8)).point(
        [max(0, round(14 + (v - 128) * 0.12)) for v in range(256)]
    )
    paper = Image.new("RGB", SIZE, CREAM)
    pen = ImageDraw.Draw(paper)
    for share in (0.1, 0.5, 0.9):
        y = round(height * share)
        pen.line([(round(width * _MARGIN), y), (round(width * (1 - _MARGIN)), y)], RULE, 2)
    paper.paste(FIBER, mask=shade.resize(SIZE, Image.Resampling.BICUBIC))
    return paper
