"""How a picture fades: twelve passes, each computed from the frame before it and fresh noise, nothing else.

A frame is all that exists of a picture, so what a pass takes is gone: pixels (each frame is smaller than
the one before it), color, detail in patches, and whole places that turn to paper. The noise comes from the
operating system and is kept nowhere: grain from a seed could be subtracted again.

Two different fades of one frame must never both exist. Their noise is independent, so that their average
holds more than either, and many of them would give the frame back. Whoever finds a frame k+1 that no row
points to (its writer died before the pointer moved) must destroy its key before computing k+1 again.
"""

from __future__ import annotations

import io
import math
import os
from dataclasses import dataclass
from statistics import NormalDist

from PIL import Image, ImageChops, ImageFilter, ImageOps, ImageStat

FRAMES = 12
"""Passes from the screen rendition to the last frame; after them only `BLANK` is shown."""

LONGEST = 1280
"""Long side in pixels from which sizes are scheduled, that of the screen rendition."""

SHORTEST = 24
"""Long side in pixels of the last frame of all but small pictures."""

_SMALL = 300
PAPER = (0xF7, 0xF9, 0xF8)
_BILINEAR, _BICUBIC = Image.Resampling.BILINEAR, Image.Resampling.BICUBIC

Size = tuple[int, int]
Color = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame: `data` is JPEG without metadata, `width` and `height` are in pixels."""

    data: bytes
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Pass:
    """What one pass does. All are shares from 0 to 1.

    `gone`: of the frame's area that is paper after it. `washed`: of the area whose detail runs together.
    `wash`: how far it does. `drained`: of the color that leaves. `lifted`: of the way from ink to paper.
    `bloom`: how strongly light spreads. `mist`: how far paper reaches in over the shores.
    """

    gone: float
    washed: float
    wash: float
    drained: float
    lifted: float
    bloom: float
    mist: float


PASSES = (
    Pass(gone=0.008, washed=0.10, wash=0.7, drained=0.02, lifted=0.004, bloom=0.05, mist=0.05),
    Pass(gone=0.025, washed=0.14, wash=0.8, drained=0.03, lifted=0.006, bloom=0.06, mist=0.05),
    Pass(gone=0.055, washed=0.20, wash=0.9, drained=0.04, lifted=0.008, bloom=0.07, mist=0.06),
    Pass(gone=0.100, washed=0.28, wash=1.0, drained=0.06, lifted=0.010, bloom=0.08, mist=0.06),
    Pass(gone=0.160, washed=0.38, wash=1.0, drained=0.08, lifted=0.015, bloom=0.09, mist=0.07),
    Pass(gone=0.230, washed=0.50, wash=1.0, drained=0.10, lifted=0.020, bloom=0.10, mist=0.07),
    Pass(gone=0.310, washed=0.60, wash=1.0, drained=0.11, lifted=0.030, bloom=0.11, mist=0.08),
    Pass(gone=0.390, washed=0.70, wash=1.0, drained=0.12, lifted=0.040, bloom=0.12, mist=0.08),
    Pass(gone=0.480, washed=0.80, wash=1.0, drained=0.12, lifted=0.050, bloom=0.13, mist=0.09),
    Pass(gone=0.570, washed=0.90, wash=1.0, drained=0.13, lifted=0.070, bloom=0.14, mist=0.10),
    Pass(gone=0.650, washed=1.00, wash=1.0, drained=0.14, lifted=0.090, bloom=0.15, mist=0.11),
    Pass(gone=0.730, washed=1.00, wash=1.0, drained=0.16, lifted=0.120, bloom=0.16, mist=0.12),
)


def capacity_bits(width: int, height: int) -> int:
    """The most that a frame of so many pixels can hold: 24 bits each."""
    return width * height * 24


def sizes(origin: Size) -> tuple[Size, ...]:
    """The sizes of frames 0 to `FRAMES` of a picture whose frame 0 is `origin` pixels large.

    Long sides fall geometrically from the picture's own, at most `LONGEST`, to `SHORTEST`, or to a twelfth
    where that is less, so that small pictures lose from the first pass on. Each frame has fewer pixels than
    the one before it, until there is only one.
    """
    width, height = origin
    if width < 1 or height < 1:
        raise ValueError("a picture has at least one pixel")
    side = max(origin)
    start = min(LONGEST, side)
    end = max(1.0, min(SHORTEST, start / FRAMES))
    found = [origin]
    for level in range(1, FRAMES + 1):
        scale = start / side * (end / start) ** (level / FRAMES)
        found.append(_smaller((max(1, round(width * scale)), max(1, round(height * scale))), found[-1]))
    return tuple(found)


def _smaller(wanted: Size, last: Size) -> Size:
    """`wanted`, no larger than `last` either way and with fewer pixels, where there is more than one."""
    width, height = min(wanted[0], last[0]), min(wanted[1], last[1])
    if (width, height) == last:
        return (max(1, width - 1), height) if width >= height else (width, max(1, height - 1))
    return width, height


def fade(frame: bytes, level: int, *, origin: Size, focus: tuple[float, float] | None = None) -> Frame:
    """Frame `level` + 1 from `frame`, which is frame `level` (0 is the screen rendition) as JPEG.

    `origin` is the size of frame 0 in pixels; `focus` the spot that goes last, as shares of width and height.
    Raises ValueError if `level` is not 0 to 11 or `frame` is not a JPEG of that level's size.
    """
    if not 0 <= level < FRAMES:
        raise ValueError("there is no such pass")
    schedule = sizes(origin)
    picture = _opened(frame, schedule[level])
    size = schedule[level + 1]
    step = PASSES[level]
    picture = picture.resize(size, _BICUBIC, reducing_gap=2.0)
    paper = _paper_in(picture)
    place = _place(focus or (0.5, 0.44))
    picture = _washed(picture, step, place)
    picture = _drained(picture, step)
    picture = _bloomed(picture, paper, step)
    picture = _grained(picture)
    picture = _dissolved(picture, paper, step, place)
    return _framed(picture)


def _opened(frame: bytes, size: Size) -> Image.Image:
    """The frame's picture; its size is compared before a pixel is decoded."""
    picture = Image.open(io.BytesIO(frame), formats=("JPEG",))
    if picture.size != size:
        raise ValueError("the frame is not of its level's size")
    return picture.convert("RGB")


def _noise(size: Size, cell: float) -> Image.Image:
    """Fresh gray noise whose spots are about `cell` pixels wide."""
    width, height = max(2, round(size[0] / cell) + 1), max(2, round(size[1] / cell) + 1)
    if width >= size[0] and height >= size[1]:
        return Image.frombytes("L", size, os.urandom(size[0] * size[1]))
    return Image.frombytes("L", (width, height), os.urandom(width * height)).resize(size, _BICUBIC)


def _clouds(size: Size, spots: float, roughness: float) -> Image.Image:
    """Fresh fractal noise: `spots` of the largest kind along the long side, each finer kind `roughness` as
    strong."""
    cell = max(size) / spots
    clouds = _noise(size, cell)
    weight = total = 1.0
    while cell > 2.5:
        cell /= 2
        weight *= roughness
        total += weight
        clouds = Image.blend(clouds, _noise(size, cell), weight / total)
    return ImageOps.autocontrast(clouds)


def _place(focus: tuple[float, float]) -> Image.Image:
    """Where a picture goes first, as a small square to be stretched: 255 far from the focus spot and at the
    rim, 0 on the spot."""
    side = 32
    values = bytearray()
    for row in range(side):
        y = (row + 0.5) / side
        for column in range(side):
            x = (column + 0.5) / side
            far = min(1.0, math.hypot(x - focus[0], y - focus[1]) / 0.72)
            rim = max(0.0, 1 - 5 * min(x, 1 - x, y, 1 - y))
            values.append(round(255 * min(1.0, (0.72 + 0.5 * rim) * far)))
    return Image.frombytes("L", (side, side), bytes(values))


def _order(size: Size, spots: float, roughness: float, place: Image.Image, weight: float) -> Image.Image:
    """Fresh clouds, drawn by `weight` toward where a picture goes first."""
    return Image.blend(_clouds(size, spots, roughness), place.resize(size, _BICUBIC), weight)


def _paper_in(picture: Image.Image) -> Image.Image:
    """255 where a picture is paper already, 0 elsewhere."""
    difference = ImageChops.difference(picture, Image.new("RGB", picture.size, PAPER))
    red, green, blue = difference.split()
    worst = ImageChops.lighter(ImageChops.lighter(red, green), blue)
    return worst.point([255] * 6 + [0] * 250)


def _above(field: Image.Image, share: float, softness: float) -> Image.Image:
    """A mask of the highest `share` of an equalized field's area, its edge `softness` gray levels wide."""
    edge = 255 * (1 - share)
    return field.point([max(0, min(255, round(255 * ((v - edge) / softness + 0.5)))) for v in range(256)])


def _field_size(size: Size, most: int) -> Size:
    scale = min(1.0, most / max(size))
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def _washed(picture: Image.Image, step: Pass, place: Image.Image) -> Image.Image:
    """Detail runs together in patches, as wet color does."""
    size = picture.size
    small = _field_size(size, max(40, round(max(size) / 5)))
    wash = _bent(picture.resize(small, Image.Resampling.BOX))
    if max(small) > 48:
        wash = wash.filter(ImageFilter.MedianFilter(5))
    order = ImageOps.equalize(_order(_field_size(size, 230), 5, 0.6, place, 0.35))
    patches = _above(order, step.washed, 60).point([round(v * step.wash) for v in range(256)])
    return Image.composite(wash.resize(size, _BICUBIC), picture, patches.resize(size, _BICUBIC))


def _bent(picture: Image.Image) -> Image.Image:
    """`picture` with its lines bent a little, anew each time."""
    width, height = picture.size
    across, down = max(1, width // 14), max(1, height // 14)
    sway = 0.32
    shifts = os.urandom(2 * (across + 1) * (down + 1))

    def corner(column: int, row: int) -> tuple[float, float]:
        at = 2 * (row * (across + 1) + column)
        move = [(shifts[at + axis] / 127.5 - 1) * sway for axis in (0, 1)]
        x = min(max(column + (move[0] if 0 < column < across else 0), 0), across) * width / across
        y = min(max(row + (move[1] if 0 < row < down else 0), 0), down) * height / down
        return x, y

    mesh = []
    for row in range(down):
        for column in range(across):
            box = (
                column * width // across,
                row * height // down,
                (column + 1) * width // across,
                (row + 1) * height // down,
            )
            corners = ((column, row), (column, row + 1), (column + 1, row + 1), (column + 1, row))
            mesh.append((box, tuple(value for at in corners for value in corner(*at))))
    return picture.transform(picture.size, Image.Transform.MESH, mesh, _BILINEAR)


def _drained(picture: Image.Image, step: Pass) -> Image.Image:
    """Color leaves toward the picture's own strongest tint, strong colors last; then all rises toward
    paper."""
    small = picture.resize(_field_size(picture.size, 160), Image.Resampling.BOX)
    saturation = small.convert("HSV").getchannel("S")
    dark, middle = _tints(small, saturation)
    mono = ImageOps.colorize(picture.convert("L"), dark, (252, 252, 251), middle)
    share = saturation.point([round(255 * step.drained * (1 - 0.6 * v / 255)) for v in range(256)])
    mono = Image.composite(mono, picture, share.resize(picture.size, _BILINEAR))
    return Image.blend(mono, Image.new("RGB", picture.size, PAPER), step.lifted)


def _tints(small: Image.Image, saturation: Image.Image) -> tuple[Color, Color]:
    """A dark and a middle tone of a picture's mean color, its strong colors counting most."""
    bands = [band.resize((16, 16), Image.Resampling.BOX).tobytes() for band in (*small.split(), saturation)]
    weights = [1 + strength**2 for strength in bands[3]]
    total = sum(weights)
    mean = [sum(map(int.__mul__, weights, band)) / total for band in bands[:3]]
    brightness = max(1.0, sum(mean) / 3)
    tint = [min(220.0, channel * 128 / brightness) for channel in mean]
    dark, middle = (
        [round(part) for part in tone] for tone in ([0.42 * t for t in tint], [58 + 0.55 * t for t in tint])
    )
    return (dark[0], dark[1], dark[2]), (middle[0], middle[1], middle[2])


def _bloomed(picture: Image.Image, paper: Image.Image, step: Pass) -> Image.Image:
    """Light spreads over what is beside it; the paper's own light does not."""
    size = _field_size(picture.size, 120)
    small = picture.resize(size, Image.Resampling.BOX)
    small.paste((0, 0, 0), mask=paper.resize(size, Image.Resampling.BOX))
    glow = small.filter(ImageFilter.GaussianBlur(max(size) / 30)).resize(picture.size, _BICUBIC)
    return Image.blend(picture, ImageChops.screen(picture, glow), step.bloom)


def _grained(picture: Image.Image) -> Image.Image:
    """Fresh grain, one gray value for all three colors. In small frames, which are shown large, the old
    grain is smoothed away first, or it would pile up."""
    if max(picture.size) < _SMALL:
        picture = picture.filter(ImageFilter.GaussianBlur(0.55))
    count = picture.width * picture.height
    grain = Image.frombytes("L", picture.size, os.urandom(count)).point(_GRAIN)
    return ImageChops.add(picture, Image.merge("RGB", (grain, grain, grain)), 1, -128)


def _dissolved(picture: Image.Image, paper: Image.Image, step: Pass, place: Image.Image) -> Image.Image:
    """Paper where the shore has come: beside what is paper already, at the rim, and in spots by chance."""
    size = picture.size
    field = _field_size(size, 460)
    known = paper.resize(field, Image.Resampling.BOX)
    reach = max(field)
    order = _order(field, 3.5, 0.64, place, 0.40)
    order = ImageChops.add(order, known.filter(ImageFilter.GaussianBlur(reach / 30)).point(_THIRD))
    order = ImageOps.equalize(order, mask=known.point(_NOT_PAPER))
    before = ImageStat.Stat(known).mean[0] / 255
    share = min(1.0, max(step.gone - before, 0.02 * step.gone) / max(1 - before, 0.01))
    flakes = _clouds(field, 60, 0.9).point([round((v - 128) * 0.16) + 128 for v in range(256)])
    gone = _above(ImageChops.add(order, flakes, 1, -128).resize(size, _BICUBIC), share, 9 + 900 / reach)
    mist = _above(order, share, 40).filter(ImageFilter.GaussianBlur(reach / 24)).resize(size, _BICUBIC)
    gone = ImageChops.lighter(gone, mist.point([round(v * step.mist) for v in range(256)]))
    gone = ImageChops.lighter(gone, paper).point(_CLEAN)
    return Image.composite(Image.new("RGB", size, PAPER), picture, gone)


def _framed(picture: Image.Image) -> Frame:
    # A JPEG's comment would be written again with the next.
    picture.info = {}
    buffer = io.BytesIO()
    # Small frames are shown large: there JPEG's own marks would be what one sees.
    small = max(picture.size) < _SMALL
    picture.save(buffer, "JPEG", quality=94 if small else 84, subsampling=0 if small else 2)
    return Frame(buffer.getvalue(), *picture.size)


_GRAIN = [round(128 + 7.7 * NormalDist().inv_cdf((v + 0.5) / 256)) for v in range(256)]


_THIRD = [v // 3 for v in range(256)]
# What is all but paper is paper: faint rests of grain would look like dirt on it.
_CLEAN = [min(255, round(v * 255 / 225)) for v in range(256)]
_NOT_PAPER = [255] * 128 + [0] * 128


def _blank() -> Frame:
    return _framed(Image.new("RGB", (1, 1), PAPER))


BLANK = _blank()
"""What stands for a picture when nothing is left of it: one pixel of paper, the same for all."""
