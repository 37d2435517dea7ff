"""A canvas to paint on with broad, soft, slightly unsteady strokes, like gouache that was photographed.

Coordinates and lengths are in pixels of the finished picture; the canvas itself is half as large again.
Colors are "#rrggbb" or tuples of three numbers from 0 to 255. The same seed paints the same picture.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from functools import cache

from PIL import Image, ImageChops, ImageColor, ImageDraw, ImageFilter

Point = tuple[float, float]
RGB = tuple[int, int, int]
Color = str | RGB

FINER = 1.5
"""How much larger than the finished picture the canvas is."""

_TEXTURE = 2048


def rgb(color: Color) -> RGB:
    """The three numbers of a color."""
    if isinstance(color, str):
        return ImageColor.getrgb(color)[:3]
    return color


def mix(one: Color, other: Color, share: float) -> RGB:
    """`one` with `share` (0 to 1) of `other` stirred in."""
    a, b = rgb(one), rgb(other)
    return (
        round(a[0] + (b[0] - a[0]) * share),
        round(a[1] + (b[1] - a[1]) * share),
        round(a[2] + (b[2] - a[2]) * share),
    )


def light(color: Color, share: float) -> RGB:
    """A tint, toward the cream of the paper."""
    return mix(color, "#f6efe0", share)


def dark(color: Color, share: float) -> RGB:
    """A shade, toward a blue black."""
    return mix(color, "#141a24", share)


def path(text: str, place: Callable[[float, float], Point] | None = None) -> list[Point]:
    """Points written as "x,y x,y"; with `place`, each is put where that says."""
    pairs = (pair.split(",") for pair in text.split())
    points = [(float(x), float(y)) for x, y in pairs]
    return [place(x, y) for x, y in points] if place else points


def curve(points: Sequence[Point], *, closed: bool = True, steps: int = 8) -> list[Point]:
    """A smooth line through all points (Catmull-Rom)."""
    count = len(points)
    if closed:
        spans = [[points[(i + k) % count] for k in (-1, 0, 1, 2)] for i in range(count)]
    else:
        spans = [[points[min(max(i + k, 0), count - 1)] for k in (-1, 0, 1, 2)] for i in range(count - 1)]
    line: list[Point] = []
    for p, q, r, s in spans:
        for step in range(steps):
            t = step / steps
            line.append((_between(p[0], q[0], r[0], s[0], t), _between(p[1], q[1], r[1], s[1], t)))
    return line if closed else [*line, points[-1]]


def _between(p: float, q: float, r: float, s: float, t: float) -> float:
    return 0.5 * (
        2 * q + (r - p) * t + (2 * p - 5 * q + 4 * r - s) * t * t + (3 * q - p - 3 * r + s) * t * t * t
    )


def oval(
    x: float, y: float, across: float, down: float, *, tilt: float = 0.0, steps: int = 36
) -> list[Point]:
    """An ellipse around (x, y) with these two radii, turned by `tilt` radians."""
    cos, sin = math.cos(tilt), math.sin(tilt)
    turns = [2 * math.pi * step / steps for step in range(steps)]
    offsets = [(across * math.cos(turn), down * math.sin(turn)) for turn in turns]
    return [(x + a * cos - b * sin, y + a * sin + b * cos) for a, b in offsets]


def box(left: float, top: float, right: float, bottom: float) -> list[Point]:
    """A rectangle."""
    return [(left, top), (right, top), (right, bottom), (left, bottom)]


@cache
def texture(kind: str) -> Image.Image:
    """A gray noise around 128, made once for a process: "grain", "clouds", "strokes" or "upstrokes"."""
    hand = random.Random(kind)  # noqa: S311 - it textures paint
    size = (_TEXTURE, _TEXTURE)
    if kind == "grain":
        return _noise(hand, size).filter(ImageFilter.GaussianBlur(0.7))
    if kind == "clouds":
        field = _noise(hand, (6, 6)).resize(size, Image.Resampling.BICUBIC)
        for count, share in ((14, 0.42), (36, 0.3), (96, 0.2), (300, 0.1)):
            finer = _noise(hand, (count, count)).resize(size, Image.Resampling.BICUBIC)
            field = Image.blend(field, finer, share)
        return _spread(field, 2.1)
    if kind == "strokes":
        field = _noise(hand, (30, 230)).resize(size, Image.Resampling.BICUBIC)
        field = Image.blend(field, _noise(hand, (70, 800)).resize(size, Image.Resampling.BICUBIC), 0.4)
        field = Image.blend(field, texture("clouds"), 0.38)
        return _spread(_bent(field, hand, 256, 30), 1.3)
    return texture("strokes").transpose(Image.Transpose.ROTATE_90)


def _noise(hand: random.Random, size: tuple[int, int]) -> Image.Image:
    return Image.frombytes("L", size, hand.randbytes(size[0] * size[1]))


def _spread(gray: Image.Image, factor: float) -> Image.Image:
    return gray.point([_clip(128 + (value - 128) * factor) for value in range(256)])


def _clip(value: float) -> int:
    return max(0, min(255, round(value)))


@cache
def _corners(width: int, height: int) -> Image.Image:
    """What darkens the corners of a print, to be multiplied into it."""
    side = Image.radial_gradient("L").point([_clip(255 - 66 * (value / 255) ** 2.6) for value in range(256)])
    gray = side.resize((width, height), Image.Resampling.BICUBIC)
    return Image.merge("RGB", [gray, gray, gray.point([_clip(value * 0.985) for value in range(256)])])


class Canvas:
    """One picture under way: paint from the back to the front, then take `finished()`."""

    def __init__(self, seed: int, *, upright: bool = False, ground: Color = "#d8d0c2") -> None:
        self.hand = random.Random(seed)  # noqa: S311 - it moves a brush
        self.width, self.height = (900, 1200) if upright else (1200, 900)
        self.image = Image.new("RGB", (round(self.width * FINER), round(self.height * FINER)), rgb(ground))

    def about(self, value: float, spread: float) -> float:
        """`value`, missed by up to `spread`."""
        return value + self.hand.uniform(-spread, spread)

    # --- shapes ---

    def shape(
        self,
        points: Sequence[Point],
        color: Color,
        to: Color | None = None,
        *,
        across: bool = False,
        alpha: float = 1.0,
        soft: float = 0.0,
        dry: float = 0.0,
        rough: float = 0.8,
        within: Sequence[Point] | None = None,
        grain: str = "",
        body: float = 0.16,
    ) -> None:
        """Fill an outline with paint.

        Args:
            points: The outline.
            color: The paint.
            to: Where given, the paint goes over into this one, downward, or to the right if `across`.
            alpha: How much it covers, 0 to 1.
            soft: How far its edge bleeds, in pixels.
            dry: How dry the brush is, 0 to 1: the drier, the more of the ground shows through.
            rough: By how many pixels the hand shakes.
            within: Another outline that it stays inside.
            grain: "strokes" or "upstrokes", the way the brush goes; by default along the longer side.
            body: How much its strokes show, 0 to 1.
        """
        if rough:
            points = self._shaken(points, rough)
        spread = soft * 2.2 + 1
        left = max(0, math.floor((min(x for x, _ in points) - spread) * FINER))
        top = max(0, math.floor((min(y for _, y in points) - spread) * FINER))
        right = min(self.image.width, math.ceil((max(x for x, _ in points) + spread) * FINER))
        bottom = min(self.image.height, math.ceil((max(y for _, y in points) + spread) * FINER))
        if right - left < 2 or bottom - top < 2:
            return
        size = (right - left, bottom - top)
        mask = self._mask(points, (left, top), size, soft)
        grain = grain or ("strokes" if size[0] >= size[1] * 0.8 else "upstrokes")
        if within is not None:
            mask = ImageChops.multiply(mask, self._mask(within, (left, top), size, 0))
        if dry:
            edge = 255 * dry * 0.8
            table = [_clip((value - edge + 60) * 3.2) for value in range(256)]
            mask = ImageChops.multiply(mask, self._piece(grain, size).point(table))
        if alpha < 1:
            mask = mask.point([round(value * alpha) for value in range(256)])
        self.image.paste(self._paint(color, to, size, across, grain, body), (left, top), mask)

    def _paint(
        self, color: Color, to: Color | None, size: tuple[int, int], across: bool, grain: str, body: float
    ) -> Image.Image:
        if to is None:
            tile = Image.new("RGB", size, rgb(color))
        else:
            strip = Image.new("RGB", (2, 1) if across else (1, 2))
            strip.putpixel((0, 0), rgb(color))
            strip.putpixel((1, 0) if across else (0, 1), rgb(to))
            # Bilinear enlargement would keep the outer quarters flat.
            inner = (0.5, 0, 1.5, 1) if across else (0, 0.5, 1, 1.5)
            tile = strip.resize(size, Image.Resampling.BILINEAR, box=inner)
        if body and size[0] * size[1] > 5000:
            gray = self._piece(grain, size).point(_contrast(round(body * 80)))
            tile = ImageChops.soft_light(tile, Image.merge("RGB", [gray, gray, gray]))
        return tile

    def _piece(self, kind: str, size: tuple[int, int]) -> Image.Image:
        left = self.hand.randrange(max(1, _TEXTURE - size[0]))
        top = self.hand.randrange(max(1, _TEXTURE - size[1]))
        return texture(kind).crop((left, top, left + size[0], top + size[1]))

    def _mask(
        self, points: Sequence[Point], corner: tuple[int, int], size: tuple[int, int], soft: float
    ) -> Image.Image:
        # What is blurred wide needs no fine mask.
        coarse = 1 if soft < 3 else 3 if soft < 14 else 8
        small = (max(2, math.ceil(size[0] / coarse)), max(2, math.ceil(size[1] / coarse)))
        mask = Image.new("L", small)
        line = [((x * FINER - corner[0]) / coarse, (y * FINER - corner[1]) / coarse) for x, y in points]
        ImageDraw.Draw(mask).polygon(line, fill=255)
        if soft:
            mask = mask.filter(ImageFilter.GaussianBlur(soft * FINER / coarse))
        return mask if coarse == 1 else mask.resize(size, Image.Resampling.BICUBIC)

    def _shaken(self, points: Sequence[Point], rough: float) -> list[Point]:
        shaken: list[Point] = []
        for (x, y), (u, v) in zip(points, [*points[1:], points[0]], strict=True):
            pieces = max(1, min(24, int(math.hypot(u - x, v - y) / 26)))
            for piece in range(pieces):
                t = piece / pieces
                shaken.append((self.about(x + (u - x) * t, rough), self.about(y + (v - y) * t, rough)))
        return shaken

    # --- lines, light, weather ---

    def line(self, points: Sequence[Point], color: Color, width: float = 2.0) -> None:
        """A line of one width through the points."""
        draw = ImageDraw.Draw(self.image)
        scaled = [(x * FINER, y * FINER) for x, y in points]
        draw.line(scaled, fill=rgb(color), width=max(1, round(width * FINER)), joint="curve")

    def stroke(
        self, points: Sequence[Point], color: Color, width: float, *, alpha: float = 1.0, soft: float = 0.0
    ) -> None:
        """One touch of a round brush: thin where it lands and leaves, `width` in the middle."""
        line = curve(points, closed=False, steps=6)
        near: list[Point] = []
        far: list[Point] = []
        for at, (x, y) in enumerate(line):
            (a, b), (u, v) = line[max(0, at - 1)], line[min(len(line) - 1, at + 1)]
            length = math.hypot(u - a, v - b) or 1
            half = width / 2 * (0.25 + 0.75 * math.sin(math.pi * (at + 0.5) / len(line)))
            near.append((x - (v - b) / length * half, y + (u - a) / length * half))
            far.append((x + (v - b) / length * half, y - (u - a) / length * half))
        self.shape([*near, *reversed(far)], color, alpha=alpha, soft=soft, rough=0, body=0)

    def glow(self, x: float, y: float, radius: float, color: Color, alpha: float = 0.6) -> None:
        """A round light (or shadow) that falls off to nothing at `radius`."""
        side = max(4, round(radius * 2 * FINER))
        # Pillow's gradient reaches 255 in its corners, 180 at the middle of its sides.
        table = [round(alpha * 255 * max(0.0, 1 - value / 178) ** 1.7) for value in range(256)]
        disk = Image.radial_gradient("L").point(table)
        disk = disk.resize((side, side), Image.Resampling.BILINEAR)
        self.image.paste(rgb(color), (round(x * FINER) - side // 2, round(y * FINER) - side // 2), disk)

    def wash(
        self,
        stops: Sequence[tuple[float, Color]],
        top: float = 0,
        bottom: float | None = None,
        body: float = 0.2,
    ) -> None:
        """Cover the whole width from `top` to `bottom` with colors that go over into one another.

        `stops` are (share of the height, color), first at 0, last at 1.
        """
        bottom = self.height if bottom is None else bottom
        size = (self.image.width, max(2, round((bottom - top) * FINER)))
        column = Image.new("RGB", (1, 64))
        for row in range(64):
            at = row / 63
            low = max((stop for stop in stops if stop[0] <= at), key=lambda stop: stop[0])
            high = min((stop for stop in stops if stop[0] >= at), key=lambda stop: stop[0])
            span = high[0] - low[0]
            column.putpixel((0, row), mix(low[1], high[1], (at - low[0]) / span if span else 0))
        tile = column.resize(size, Image.Resampling.BILINEAR)
        gray = self._piece("strokes", size).point(_contrast(round(body * 80)))
        tile = ImageChops.soft_light(tile, Image.merge("RGB", [gray, gray, gray]))
        self.image.paste(tile, (0, round(top * FINER)))

    def clouds(
        self,
        color: Color,
        top: float,
        bottom: float,
        *,
        alpha: float = 0.5,
        amount: float = 0.5,
        flat: float = 2.0,
    ) -> None:
        """Soft patches of a color between two heights; more `amount` covers more, `flat` draws them out."""
        size = (self.image.width, round((bottom - top) * FINER))
        piece = self._piece(
            "clouds", (round(size[0] * 0.75), min(_TEXTURE - 1, round(size[1] * 0.75 * flat)))
        )
        edge = 255 * (1 - amount)
        table = [_clip((value - edge) * 2.4 * alpha) if value > edge else 0 for value in range(256)]
        table = [min(value, round(alpha * 255)) for value in table]
        mask = piece.resize(size, Image.Resampling.BILINEAR).point(table)
        fade = Image.linear_gradient("L").point(
            [_clip(255 * math.sin(math.pi * v / 255) ** 0.6) for v in range(256)]
        )
        mask = ImageChops.multiply(mask, fade.resize(size))
        self.image.paste(rgb(color), (0, round(top * FINER)), mask)

    def specks(
        self,
        count: int,
        color: Color,
        area: tuple[float, float, float, float],
        size: tuple[float, float],
        *,
        alpha: float = 1.0,
        soft: float = 0.0,
        flat: float = 1.0,
    ) -> None:
        """Scatter dots (snow, stars, pebbles, foam) over an area given as left, top, right, bottom."""
        left, top, right, bottom = (round(value * FINER) for value in area)
        mask = Image.new("L", (right - left, bottom - top))
        draw = ImageDraw.Draw(mask)
        for _ in range(count):
            x, y = self.hand.uniform(0, right - left), self.hand.uniform(0, bottom - top)
            reach = self.hand.uniform(*size) * FINER
            draw.ellipse((x - reach, y - reach / flat, x + reach, y + reach / flat), fill=round(255 * alpha))
        if soft:
            mask = mask.filter(ImageFilter.GaussianBlur(soft * FINER))
        self.image.paste(rgb(color), (left, top), mask)

    def veil(self, color: Color, alpha: float) -> None:
        """Lay a thin layer of one color over everything."""
        self.image = Image.blend(self.image, Image.new("RGB", self.image.size, rgb(color)), alpha)

    def blurred(self, radius: float) -> None:
        """Take everything painted so far out of focus."""
        small = self.image.reduce(3).filter(ImageFilter.GaussianBlur(radius * FINER / 3))
        self.image = small.resize(self.image.size, Image.Resampling.BICUBIC)

    # --- the print ---

    def finished(self) -> Image.Image:
        """The picture as a print: edges that wander, strokes, lifted blacks, dark corners, grain."""
        size = (self.width, self.height)
        print_ = self.image.resize(size, Image.Resampling.LANCZOS, reducing_gap=2.0)
        print_ = _bent(print_, self.hand, 30, 1.7)
        for kind, strength in (("clouds", 9), ("strokes", 7)):
            gray = self._piece(kind, size).point(_contrast(strength))
            print_ = ImageChops.soft_light(print_, Image.merge("RGB", [gray, gray, gray]))
        print_ = print_.point(_FADED)
        print_ = ImageChops.multiply(print_, _corners(*size))
        gray = self._piece("grain", size).point(_contrast(22))
        return ImageChops.soft_light(print_, Image.merge("RGB", [gray, gray, gray]))


def _bent(picture: Image.Image, hand: random.Random, cell: int, reach: float) -> Image.Image:
    """The picture as on a net of `cell` pixels whose inner knots were pulled by up to `reach`."""
    columns, rows = picture.width // cell, picture.height // cell
    knots = {
        (i, j): (
            i * cell + (hand.uniform(-reach, reach) if 0 < i < columns else 0),
            j * cell + (hand.uniform(-reach, reach) if 0 < j < rows else 0),
        )
        for i in range(columns + 1)
        for j in range(rows + 1)
    }
    mesh = [
        (
            (i * cell, j * cell, (i + 1) * cell, (j + 1) * cell),
            (*knots[i, j], *knots[i, j + 1], *knots[i + 1, j + 1], *knots[i + 1, j]),
        )
        for i in range(columns)
        for j in range(rows)
    ]
    return picture.transform(picture.size, Image.Transform.MESH, mesh, Image.Resampling.BILINEAR)


@cache
def _contrast(percent: int) -> list[int]:
    return [_clip(128 + (value - 128) * percent / 100) for value in range(256)]


def _lifted(low: int, high: int) -> list[int]:
    return [_clip(low + (high - low) * (value / 255) ** 0.9) for value in range(256)]


_FADED = [*_lifted(18, 262), *_lifted(19, 259), *_lifted(24, 250)]
"""An old print: no black, no white, a little yellow."""
