"""Draw the waveform of a recording, as ink on a strip of paper, and compute its fingerprint."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from PIL import Image, ImageDraw

from .letter_page import CREAM, INK, RULE, paste_fibers

SIZE = (1280, 512)
"""Width and height of the waveform picture in pixels."""

_BARS = 160
_WINDOWS = 65
_SILENCE = 0.02  # of full scale: below it is silence
_MARGIN = 0.045  # of the width, on each side
_SCALE = 2  # drawn at this multiple of SIZE and then reduced, for smooth edges


def waveform(peaks: Sequence[int]) -> Image.Image:
    """Return the waveform picture of a recording.

    `peaks` are its largest amplitudes (0 to 32768) in intervals of equal length. A quiet recording is drawn
    as large as a loud one: the picture must not show how near the microphone was. Errors: ValueError for no
    peaks.
    """
    loudness = _bar_peaks(peaks, _BARS)
    largest = max(*loudness, _SILENCE * 32768)
    width, height = SIZE[0] * _SCALE, SIZE[1] * _SCALE
    ink = Image.new("L", (width, height), 0)
    draw = ImageDraw.Draw(ink)
    margin = width * _MARGIN
    step = (width - 2 * margin) / _BARS
    for number, value in enumerate(loudness):
        reach = max(step * 0.22, math.sqrt(value / largest) * height * 0.40)
        x = margin + (number + 0.5) * step
        box = (x - step * 0.27, height / 2 - reach, x + step * 0.27, height / 2 + reach)
        draw.rounded_rectangle(box, radius=step * 0.27, fill=232)
    paper = _draw_paper()
    paper.paste(INK, mask=ink.resize(SIZE, Image.Resampling.BOX))
    return paper


def sound_fingerprint(peaks: Sequence[int]) -> int | None:
    """Return the 64-bit fingerprint of a recording, for `patients.imaging.fingerprint.distance`.

    The recording is divided into 65 windows. Each bit says whether it grows louder from one window to the
    next. So a copy in another format, or of another loudness, has the same bits. A shortened copy does not.
    None if it would be alike for many recordings: for silence, a steady tone or less than 65 peaks.
    """
    if len(peaks) < _WINDOWS or max(peaks) < _SILENCE * 32768:
        return None
    windows = _means(peaks, _WINDOWS)
    bits = sum((later > 1.02 * before + 1) << bit for bit, (before, later) in enumerate(pairwise(windows)))
    return bits if 10 <= bits.bit_count() <= 54 else None


def _bar_peaks(peaks: Sequence[int], count: int) -> list[float]:
    """Return the largest peak of each of `count` parts. With fewer peaks, neighboring parts share one."""
    if not peaks:
        raise ValueError("there is nothing to hear")
    edges = [len(peaks) * number // count for number in range(count + 1)]
    return [max(peaks[start : max(end, start + 1)]) for start, end in pairwise(edges)]


def _means(peaks: Sequence[int], count: int) -> list[float]:
    edges = [len(peaks) * number // count for number in range(count + 1)]
    return [sum(peaks[start:end]) / (end - start) for start, end in pairwise(edges)]


def _draw_paper() -> Image.Image:
    """Draw cream paper with three faint rules."""
    width, height = SIZE
    paper = Image.new("RGB", SIZE, CREAM)
    draw = ImageDraw.Draw(paper)
    for share in (0.1, 0.5, 0.9):
        y = round(height * share)
        draw.line([(round(width * _MARGIN), y), (round(width * (1 - _MARGIN)), y)], RULE, 2)
    paste_fibers(paper)
    return paper
