"""People, mostly from behind, and her hair: the only saturated color."""

from __future__ import annotations

import math
from collections.abc import Sequence

from erasure.demo.paintings.brush import RGB, Canvas, Color, Point, curve, dark, light, mix, oval, path

HAIR = {"green": "#5f8a3c", "red": "#b8322f", "orange": "#e0702a", "blue": "#2f6fb5"}

SKIN = "#d9b9a0"
NIGHT_SKIN = "#a98d80"


def hair(
    c: Canvas,
    left: Sequence[Point],
    right: Sequence[Point],
    color: Color,
    *,
    strands: int = 90,
    width: float = 3.0,
    sun: float = 0.3,
    ragged: float = 26,
) -> None:
    """Hair that falls between two guides, each from the crown to the tips, with the same number of points.

    `sun` is how strongly the light catches it, `ragged` by how many pixels the tips differ.
    """
    near, far = curve(left, closed=False, steps=6), curve(right, closed=False, steps=6)
    count = len(near)
    teeth = max(5, strands // 4)
    reaches = [c.hand.uniform(0, ragged) for _ in range(teeth + 1)]

    def along(share: float, at: int) -> Point:
        (a, b), (u, v) = near[at], far[at]
        return (a + (u - a) * share, b + (v - b) * share)

    def tip(share: float, further: float) -> Point:
        (a, b), (u, v) = along(share, count - 4), along(share, count - 1)
        reach = further / max(1.0, math.hypot(u - a, v - b))
        return (u + (u - a) * reach, v + (v - b) * reach)

    edge = []
    for tooth in range(teeth):
        edge.append(tip((tooth + 0.04) / teeth, 0.1 * ragged))
        edge.append(tip((tooth + c.hand.uniform(0.3, 0.8)) / teeth, reaches[tooth]))
    c.shape([*near, *edge, *reversed(far)], dark(color, 0.12), dark(color, 0.3), rough=1.2, body=0.25)
    for number in range(strands):
        share = min(1.0, max(0.0, (number + c.hand.uniform(-0.5, 0.5)) / (strands - 1)))
        drift = c.hand.uniform(-0.05, 0.05)
        start = c.hand.randrange(0, max(1, count // 3)) if number % 3 else 0
        end = count if number % 4 else c.hand.randrange(count * 2 // 3, count)
        line = [along(min(1.0, max(0.0, share + drift * at / count)), at) for at in range(start, end)]
        if len(line) < 3:
            continue
        if end == count:
            line.append(tip(min(1.0, max(0.0, share + drift)), c.hand.uniform(0, 0.6) * ragged))
        # Lit from where the parting is: the middle takes the light, the edges do not.
        lit = sun * max(0.0, 1 - abs(share - 0.4) * 2.2)
        luck = c.hand.random()
        paint = glint(color, lit * 0.5 * luck) if luck > 0.5 else dark(color, 0.36 - 0.5 * luck)
        thick, middle = c.hand.uniform(0.5, 1.05) * width, len(line) * 3 // 5
        c.line(line[: middle + 1], paint, thick)
        c.line(line[middle:], paint, thick * 0.55)


def glint(color: Color, share: float) -> RGB:
    """Light on hair: warm, so that it stays the color it is."""
    return mix(color, "#f6cf98", share)


def profile(c: Canvas, x: float, y: float, u: float, side: int, near: Color, far: Color) -> None:
    """A face from the side around (x, y), `u` from brow to chin, looking left (-1) or right (1)."""

    def at(a: float, b: float) -> Point:
        return (x + side * a * u, y + b * u)

    c.shape(path("-0.24,0.3 0.22,0.5 0.14,1.1 -0.4,1.1", at), dark(far, 0.12), rough=0.8)
    face = path(
        "-0.5,-0.5 0.2,-0.52 0.38,-0.3 0.4,-0.1 0.385,-0.02 0.45,0.1 0.5,0.2 0.47,0.245 "
        "0.41,0.25 0.41,0.29 0.445,0.34 0.41,0.385 0.43,0.43 0.395,0.47 0.4,0.56 "
        "0.32,0.66 0.16,0.64 -0.2,0.46 -0.5,0.3",
        at,
    )
    colors = (far, near) if side > 0 else (near, far)
    c.shape(curve(face, steps=4), *colors, across=True, rough=0.7)
    c.shape(oval(*at(0.16, 0.26), u * 0.13, u * 0.09), "#c98f7c", alpha=0.3, soft=u * 0.06, rough=0)
    c.stroke([at(0.2, 0.02), at(0.28, 0.045), at(0.35, 0.03)], "#54433b", u * 0.026, alpha=0.85)
    c.stroke([at(0.2, -0.12), at(0.3, -0.15), at(0.38, -0.12)], "#7a5d4c", u * 0.024, alpha=0.6)
    c.stroke([at(0.33, 0.345), at(0.39, 0.345), at(0.43, 0.345)], "#a05f54", u * 0.032, alpha=0.75)


def face(c: Canvas, x: float, y: float, u: float, lit: int, skin: Color = "#dcbfa6") -> None:
    """A face from the front around (x, y), `u` from it to the chin, lit from the left (-1) or right (1)."""
    shade = dark(skin, 0.16)
    c.shape(
        curve(
            [
                (x - u * 0.34, y + u * 0.4),
                (x + u * 0.34, y + u * 0.4),
                (x + u * 0.36, y + u * 1.2),
                (x + u * 0.6, y + u * 1.5),
                (x - u * 0.6, y + u * 1.5),
                (x - u * 0.36, y + u * 1.2),
            ]
        ),
        dark(skin, 0.3),
        dark(skin, 0.06),
        rough=0.8,
    )
    outline = curve(
        [
            (x, y - u * 0.98),
            (x + u * 0.5, y - u * 0.84),
            (x + u * 0.7, y - u * 0.3),
            (x + u * 0.64, y + u * 0.3),
            (x + u * 0.42, y + u * 0.74),
            (x, y + u * 0.98),
            (x - u * 0.42, y + u * 0.74),
            (x - u * 0.64, y + u * 0.3),
            (x - u * 0.7, y - u * 0.3),
            (x - u * 0.5, y - u * 0.84),
        ]
    )
    c.shape(
        outline,
        light(skin, 0.18) if lit < 0 else shade,
        shade if lit < 0 else light(skin, 0.18),
        across=True,
        rough=0.6,
        body=0.08,
    )
    # Brow, the shadow beside the nose and the far cheek are one soft shape.
    c.shape(
        curve(
            [
                (x - lit * u * 0.06, y - u * 0.3),
                (x - lit * u * 0.02, y + u * 0.1),
                (x + lit * u * 0.05, y + u * 0.34),
                (x - lit * u * 0.14, y + u * 0.44),
                (x - lit * u * 0.1, y + u),
                (x - lit * u * 0.9, y + u),
                (x - lit * u * 0.9, y - u),
            ]
        ),
        dark(skin, 0.4),
        alpha=0.3,
        soft=u * 0.07,
        within=outline,
    )
    c.shape(oval(x, y - u * 0.8, u * 0.72, u * 0.34), "#5d4034", alpha=0.4, soft=u * 0.14, within=outline)
    for side in (-1, 1):
        c.shape(
            oval(x + side * u * 0.4, y + u * 0.4, u * 0.17, u * 0.12),
            "#c9826e",
            alpha=0.3,
            soft=u * 0.09,
            rough=0,
        )
        c.shape(
            oval(x + side * u * 0.31, y + u * 0.06, u * 0.18, u * 0.08),
            "#7b5f52",
            alpha=0.34,
            soft=u * 0.05,
            rough=0,
        )
        c.stroke(
            [
                (x + side * u * 0.19, y + u * 0.08),
                (x + side * u * 0.32, y + u * 0.125),
                (x + side * u * 0.46, y + u * 0.07),
            ],
            "#4d3d37",
            u * 0.036,
            alpha=0.8,
        )
    c.stroke(
        [(x - u * 0.08, y + u * 0.42), (x, y + u * 0.445), (x + u * 0.07, y + u * 0.42)],
        dark(skin, 0.4),
        u * 0.035,
        alpha=0.5,
        soft=1,
    )
    c.stroke(
        [(x - u * 0.16, y + u * 0.645), (x - u * 0.02, y + u * 0.665), (x + u * 0.16, y + u * 0.635)],
        "#96584d",
        u * 0.05,
        alpha=0.7,
        soft=0.8,
    )
    c.stroke(
        [(x - u * 0.09, y + u * 0.7), (x, y + u * 0.715), (x + u * 0.09, y + u * 0.7)],
        "#b9806f",
        u * 0.04,
        alpha=0.5,
        soft=2,
    )


def parted(
    c: Canvas, x: float, y: float, u: float, color: Color, lit: int, *, long: float = 1.95, strands: int = 80
) -> None:
    """Hair parted in the middle around a `face` of the same place and size."""
    for side in (-1, 1):

        def at(a: float, b: float, side: int = side) -> Point:
            return (x + side * a * u, y + b * u)

        outer = [at(0.06, -1.54), at(0.8, -1.27), at(1.04, -0.3), at(0.93, 0.65), at(1.2, long)]
        inner = [at(-0.04, -1.55), at(-0.03, -0.85), at(0.63, -0.3), at(0.55, 0.65), at(0.6, long - 0.05)]
        sun = 0.85 if side == lit else 0.3
        guides = (outer, inner) if side < 0 else (inner, outer)
        hair(c, *guides, color, strands=strands, width=max(2.0, u * 0.018), sun=sun, ragged=u * 0.35)


def small(
    c: Canvas,
    x: float,
    feet: float,
    tall: float,
    coat: Color,
    *,
    hair_color: Color | None = None,
    legs: Color = "#33363c",
    wind: float = 0.0,
    skin: Color = SKIN,
    long: float = 0.44,
    shadow: Color | None = "#6f6a60",
) -> None:
    """Somebody far off, from behind, standing with the feet at (x, feet), `tall` pixels tall."""
    u = tall
    if shadow:
        c.shape(oval(x + u * 0.16, feet, u * 0.26, u * 0.025), shadow, alpha=0.4, soft=u * 0.02, rough=0)
    for side in (-1, 1):
        c.shape(
            [
                (x + side * u * 0.015, feet - u * 0.42),
                (x + side * u * 0.085, feet - u * 0.42),
                (x + side * u * 0.075, feet),
                (x + side * u * 0.025, feet),
            ],
            legs,
            rough=u * 0.003,
        )
    hem = feet - u * (0.8 - long)
    body = [
        (x - u * 0.05, feet - u * 0.83),
        (x - u * 0.12, feet - u * 0.79),
        (x - u * 0.155, feet - u * 0.6),
        (x - u * 0.13, hem),
        (x + u * 0.13, hem),
        (x + u * 0.155, feet - u * 0.6),
        (x + u * 0.12, feet - u * 0.79),
        (x + u * 0.05, feet - u * 0.83),
    ]
    c.shape(curve(body), light(coat, 0.08), dark(coat, 0.25), across=True, rough=u * 0.004)
    c.shape(oval(x, feet - u * 0.9, u * 0.062, u * 0.075), skin, rough=0)
    if hair_color is None:
        c.shape(
            curve(
                [
                    (x - u * 0.066, feet - u * 0.9),
                    (x, feet - u * 0.985),
                    (x + u * 0.066, feet - u * 0.9),
                    (x + u * 0.04, feet - u * 0.845),
                    (x - u * 0.04, feet - u * 0.845),
                ]
            ),
            "#3a322c",
            rough=0,
        )
        return
    w = wind * u
    falls = [
        (x - u * 0.075, feet - u * 0.9),
        (x - u * 0.05, feet - u * 0.97),
        (x + u * 0.01, feet - u * 0.99),
        (x + u * 0.07, feet - u * 0.95),
        (x + u * 0.085 + w * 0.3, feet - u * 0.85),
        (x + u * 0.1 + w, feet - u * 0.7),
        (x + u * 0.03 + w * 0.8, feet - u * 0.66),
        (x - u * 0.06 + w * 0.35, feet - u * 0.69),
        (x - u * 0.09, feet - u * 0.8),
    ]
    c.shape(curve(falls), glint(hair_color, 0.08), dark(hair_color, 0.22), rough=u * 0.002)
    for share in (0.2, 0.45, 0.7):
        top = x - u * 0.05 + u * 0.11 * share
        c.stroke(
            [(top, feet - u * 0.95), (top + w * 0.2, feet - u * 0.82), (top + w * 0.75, feet - u * 0.69)],
            glint(hair_color, 0.22) if share < 0.6 else dark(hair_color, 0.3),
            max(1.2, u * 0.014),
            alpha=0.6,
        )


def man(c: Canvas, x: float, feet: float, tall: float, coat: Color = "#3b4046", **how: float) -> None:
    """Joel, far off: dark coat, dark woolen hat."""
    small(
        c, x, feet, tall, coat, long=how.get("long", 0.4), shadow="#6f6a60" if how.get("shade", 1) else None
    )
    u = tall
    hat = [
        (x - u * 0.07, feet - u * 0.915),
        (x - u * 0.055, feet - u * 0.985),
        (x, feet - u * 1.01),
        (x + u * 0.055, feet - u * 0.985),
        (x + u * 0.07, feet - u * 0.915),
    ]
    c.shape(curve(hat), "#4d4a4b", rough=0)
