"""Fade a picture in twelve passes. Each frame is computed only from the frame before it and fresh noise.

Only the current frame of a picture exists, so what a pass removes is lost: pixels (each frame is smaller than
the one before it), color, detail in patches, and areas that become paper (the background color). The noise
comes from the operating system and is not stored: noise from a seed could be subtracted again.

Two different fades of one frame must never both exist. Their noise is independent, so their average contains
more than each of them, and many of them would restore the frame. If there is a frame k+1 that no row points
to (its process died before it updated the row), destroy its key before computing k+1 again.
"""

from __future__ import annotations

import io
import math
import os
from dataclasses import dataclass
from statistics import NormalDist

from PIL import Image, ImageChops, ImageFilter, ImageOps, ImageStat

FRAMES = 12
"""Number of passes from the screen rendition to the last frame. After them only `BLANK` is shown."""

LARGEST_SIDE = 1280
"""Long side of the screen rendition in pixels; the largest from which frame sizes are computed."""

SMALLEST_SIDE = 24
"""Long side of the last frame in pixels; shorter for small pictures (see `sizes`)."""

_SMALL_SIDE = 300  # pixels; frames with a shorter long side are shown enlarged
PAPER = (0xF7, 0xF9, 0xF8)  # the background color that areas fade to
_BILINEAR, _BICUBIC = Image.Resampling.BILINEAR, Image.Resampling.BICUBIC

Size = tuple[int, int]
Color = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame. `data` is a JPEG without metadata; `width` and `height` are in pixels."""

    data: bytes
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Pass:
    """The strength of each effect in one pass. All values are shares from 0 to 1.

    `gone`: share of the frame's area that is paper after this pass. `washed`: share of the area that is
    blurred in patches; `wash`: how strongly it is blurred. `drained`: share of the color that is removed.
    `lifted`: how far all colors move toward that of paper. `bloom`: how strongly bright areas spread. `mist`:
    how strongly the paper's soft edge covers the picture beside it.
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
    """Return the most information in bits that a frame of this size can contain: 24 bits per pixel."""
    return width * height * 24


def sizes(origin: Size) -> tuple[Size, ...]:
    """Return the sizes of frames 0 to `FRAMES` of a picture whose frame 0 has the size `origin` in pixels.

    The long sides decrease geometrically, from the picture's own (at most `LARGEST_SIDE`) to `SMALLEST_SIDE`.
    If a twelfth of the first is less than `SMALLEST_SIDE`, they end there, so that small pictures also lose
    pixels from the first pass on. Each frame has fewer pixels than the one before, until there is only one.
    """
    width, height = origin
    if width < 1 or height < 1:
        raise ValueError("a picture has at least one pixel")
    side = max(origin)
    start = min(LARGEST_SIDE, side)
    end = max(1.0, min(SMALLEST_SIDE, start / FRAMES))
    found = [origin]
    for level in range(1, FRAMES + 1):
        scale = start / side * (end / start) ** (level / FRAMES)
        found.append(_smaller((max(1, round(width * scale)), max(1, round(height * scale))), found[-1]))
    return tuple(found)


def _smaller(target: Size, previous: Size) -> Size:
    """Return `target` limited to `previous`, and with fewer pixels if that has more than one."""
    width, height = min(target[0], previous[0]), min(target[1], previous[1])
    if (width, height) == previous:
        return (max(1, width - 1), height) if width >= height else (width, max(1, height - 1))
    return width, height


def fade(frame: bytes, level: int, *, origin: Size, focus: tuple[float, float] | None = None) -> Frame:
    """Return frame `level` + 1, computed from `frame`, the JPEG of frame `level` (0 is the screen rendition).

    `origin` is the size of frame 0 in pixels. `focus` is the spot that fades last, as shares of width and
    height. Errors: ValueError if `level` is not 0 to 11 or `frame` is not a JPEG of that level's size.
    """
    if not 0 <= level < FRAMES:
        raise ValueError("there is no such pass")
    schedule = sizes(origin)
    picture = _open_frame(frame, schedule[level])
    size = schedule[level + 1]
    fade_pass = PASSES[level]
    picture = picture.resize(size, _BICUBIC, reducing_gap=2.0)
    paper = _paper_mask(picture)
    early = _early_mask(focus or (0.5, 0.44))
    picture = _blur_patches(picture, fade_pass, early)
    picture = _drain_color(picture, fade_pass)
    picture = _add_bloom(picture, paper, fade_pass)
    picture = _add_grain(picture)
    picture = _dissolve(picture, paper, fade_pass, early)
    return _encode(picture)


def _open_frame(frame: bytes, size: Size) -> Image.Image:
    """Return the decoded frame. Its size is checked before any pixel is decoded."""
    picture = Image.open(io.BytesIO(frame), formats=("JPEG",))
    if picture.size != size:
        raise ValueError("the frame is not of its level's size")
    return picture.convert("RGB")


def _noise(size: Size, cell: float) -> Image.Image:
    """Return fresh gray noise whose spots are about `cell` pixels wide."""
    width, height = max(2, round(size[0] / cell) + 1), max(2, round(size[1] / cell) + 1)
    if width >= size[0] and height >= size[1]:
        return Image.frombytes("L", size, os.urandom(size[0] * size[1]))
    return Image.frombytes("L", (width, height), os.urandom(width * height)).resize(size, _BICUBIC)


def _clouds(size: Size, spots: float, roughness: float) -> Image.Image:
    """Return fresh fractal noise.

    The largest spots fit `spots` times along the long side. Each finer layer has half their size and is
    `roughness` times as strong.
    """
    cell = max(size) / spots
    clouds = _noise(size, cell)
    weight = total = 1.0
    while cell > 2.5:
        cell /= 2
        weight *= roughness
        total += weight
        clouds = Image.blend(clouds, _noise(size, cell), weight / total)
    return ImageOps.autocontrast(clouds)


def _early_mask(focus: tuple[float, float]) -> Image.Image:
    """Return where a picture fades early, as a small square to be scaled to the picture.

    The value is 0 on the focus spot and 255 far from it and at the rim.
    """
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


def _vanishing_order(
    size: Size, spots: float, roughness: float, early: Image.Image, weight: float
) -> Image.Image:
    """Return fresh clouds blended with `early`. Areas with the highest values fade first."""
    return Image.blend(_clouds(size, spots, roughness), early.resize(size, _BICUBIC), weight)


def _paper_mask(picture: Image.Image) -> Image.Image:
    """Return a mask: 255 where a picture is paper already, 0 elsewhere."""
    difference = ImageChops.difference(picture, Image.new("RGB", picture.size, PAPER))
    red, green, blue = difference.split()
    worst = ImageChops.lighter(ImageChops.lighter(red, green), blue)
    return worst.point([255] * 6 + [0] * 250)


def _top_share_mask(values: Image.Image, share: float, softness: float) -> Image.Image:
    """Return a mask of that `share` of the area where equalized `values` are highest.

    The mask's edge is `softness` gray levels wide.
    """
    edge = 255 * (1 - share)
    return values.point([max(0, min(255, round(255 * ((v - edge) / softness + 0.5)))) for v in range(256)])


def _field_size(size: Size, max_side: int) -> Size:
    scale = min(1.0, max_side / max(size))
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def _blur_patches(picture: Image.Image, fade_pass: Pass, early: Image.Image) -> Image.Image:
    """Return the picture with its detail blurred in patches, like wet color."""
    size = picture.size
    small = _field_size(size, max(40, round(max(size) / 5)))
    wash = _distort(picture.resize(small, Image.Resampling.BOX))
    if max(small) > 48:
        wash = wash.filter(ImageFilter.MedianFilter(5))
    order = ImageOps.equalize(_vanishing_order(_field_size(size, 230), 5, 0.6, early, 0.35))
    patches = _top_share_mask(order, fade_pass.washed, 60).point(
        [round(v * fade_pass.wash) for v in range(256)]
    )
    return Image.composite(wash.resize(size, _BICUBIC), picture, patches.resize(size, _BICUBIC))


def _distort(picture: Image.Image) -> Image.Image:
    """Return `picture` slightly distorted by a random mesh."""
    width, height = picture.size
    columns, rows = max(1, width // 14), max(1, height // 14)
    max_shift = 0.32
    shifts = os.urandom(2 * (columns + 1) * (rows + 1))

    def corner(column: int, row: int) -> tuple[float, float]:
        at = 2 * (row * (columns + 1) + column)
        move = [(shifts[at + axis] / 127.5 - 1) * max_shift for axis in (0, 1)]
        x = min(max(column + (move[0] if 0 < column < columns else 0), 0), columns) * width / columns
        y = min(max(row + (move[1] if 0 < row < rows else 0), 0), rows) * height / rows
        return x, y

    mesh = []
    for row in range(rows):
        for column in range(columns):
            box = (
                column * width // columns,
                row * height // rows,
                (column + 1) * width // columns,
                (row + 1) * height // rows,
            )
            corners = ((column, row), (column, row + 1), (column + 1, row + 1), (column + 1, row))
            mesh.append((box, tuple(value for at in corners for value in corner(*at))))
    return picture.transform(picture.size, Image.Transform.MESH, mesh, _BILINEAR)


def _drain_color(picture: Image.Image, fade_pass: Pass) -> Image.Image:
    """Return the picture with less color.

    Its colors move toward shades of its own strongest tint, strong colors last. Then all colors move toward
    that of paper.
    """
    small = picture.resize(_field_size(picture.size, 160), Image.Resampling.BOX)
    saturation = small.convert("HSV").getchannel("S")
    dark, middle = _tints(small, saturation)
    mono = ImageOps.colorize(picture.convert("L"), dark, (252, 252, 251), middle)
    share = saturation.point([round(255 * fade_pass.drained * (1 - 0.6 * v / 255)) for v in range(256)])
    mono = Image.composite(mono, picture, share.resize(picture.size, _BILINEAR))
    return Image.blend(mono, Image.new("RGB", picture.size, PAPER), fade_pass.lifted)


def _tints(small: Image.Image, saturation: Image.Image) -> tuple[Color, Color]:
    """Return a dark and a middle tone of a picture's mean color, weighted by saturation."""
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


def _add_bloom(picture: Image.Image, paper: Image.Image, fade_pass: Pass) -> Image.Image:
    """Return the picture with bright areas spread over their surroundings. Paper does not spread."""
    size = _field_size(picture.size, 120)
    small = picture.resize(size, Image.Resampling.BOX)
    small.paste((0, 0, 0), mask=paper.resize(size, Image.Resampling.BOX))
    glow = small.filter(ImageFilter.GaussianBlur(max(size) / 30)).resize(picture.size, _BICUBIC)
    return Image.blend(picture, ImageChops.screen(picture, glow), fade_pass.bloom)


def _add_grain(picture: Image.Image) -> Image.Image:
    """Return the picture with fresh grain, one gray value for all three colors.

    Small frames are shown enlarged: there the old grain is smoothed away first, or it would accumulate.
    """
    if max(picture.size) < _SMALL_SIDE:
        picture = picture.filter(ImageFilter.GaussianBlur(0.55))
    count = picture.width * picture.height
    grain = Image.frombytes("L", picture.size, os.urandom(count)).point(_GRAIN)
    return ImageChops.add(picture, Image.merge("RGB", (grain, grain, grain)), 1, -128)


def _dissolve(picture: Image.Image, paper: Image.Image, fade_pass: Pass, early: Image.Image) -> Image.Image:
    """Return the picture with more paper: beside existing paper, at the rim and in random spots."""
    size = picture.size
    field = _field_size(size, 460)
    existing = paper.resize(field, Image.Resampling.BOX)
    reach = max(field)
    order = _vanishing_order(field, 3.5, 0.64, early, 0.40)
    order = ImageChops.add(order, existing.filter(ImageFilter.GaussianBlur(reach / 30)).point(_DIVIDE_BY_3))
    order = ImageOps.equalize(order, mask=existing.point(_NOT_PAPER))
    before = ImageStat.Stat(existing).mean[0] / 255
    share = min(1.0, max(fade_pass.gone - before, 0.02 * fade_pass.gone) / max(1 - before, 0.01))
    flakes = _clouds(field, 60, 0.9).point([round((v - 128) * 0.16) + 128 for v in range(256)])
    gone = _top_share_mask(
        ImageChops.add(order, flakes, 1, -128).resize(size, _BICUBIC), share, 9 + 900 / reach
    )
    mist = (
        _top_share_mask(order, share, 40).filter(ImageFilter.GaussianBlur(reach / 24)).resize(size, _BICUBIC)
    )
    gone = ImageChops.lighter(gone, mist.point([round(v * fade_pass.mist) for v in range(256)]))
    gone = ImageChops.lighter(gone, paper).point(_RAISE_TO_PAPER)
    return Image.composite(Image.new("RGB", size, PAPER), picture, gone)


def _encode(picture: Image.Image) -> Frame:
    # Otherwise Pillow would copy the comment of a JPEG into the new one.
    picture.info = {}
    buffer = io.BytesIO()
    # Small frames are shown enlarged: JPEG artifacts would be visible.
    small = max(picture.size) < _SMALL_SIDE
    picture.save(buffer, "JPEG", quality=94 if small else 84, subsampling=0 if small else 2)
    return Frame(buffer.getvalue(), *picture.size)


_GRAIN = [round(128 + 7.7 * NormalDist().inv_cdf((v + 0.5) / 256)) for v in range(256)]


_DIVIDE_BY_3 = [v // 3 for v in range(256)]
# Values of a mask that are almost 255 become 255: faint rests of grain would look like dirt on the paper.
_RAISE_TO_PAPER = [min(255, round(v * 255 / 225)) for v in range(256)]
_NOT_PAPER = [255] * 128 + [0] * 128


def _blank() -> Frame:
    return _encode(Image.new("RGB", (1, 1), PAPER))


BLANK = _blank()
"""Shown for a picture of which nothing is left: one pixel of paper, the same for all."""
