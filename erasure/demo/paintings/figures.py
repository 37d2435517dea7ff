"""People, mostly from behind, and her hair: the only saturated color."""

from __future__ import annotations

from collections.abc import Sequence

from erasure.demo.paintings.brush import Canvas, Color, Point, curve, dark, light, mix, oval

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
    c.shape([*near, *reversed(far)], mix(color, light(color, 0.25), sun), dark(color, 0.22), rough=1.5, body=0.3)
    count = len(near)
    for number in range(strands):
        t = min(1.0, max(0.0, (number + c.hand.uniform(-0.5, 0.5)) / (strands - 1)))
        drift = c.hand.uniform(-0.05, 0.05)
        start = c.hand.randrange(0, max(1, count // 3)) if number % 3 else 0
        end = count if number % 4 else c.hand.randrange(count * 2 // 3, count)
        line = []
        for at in range(start, end):
            share = min(1.0, max(0.0, t + drift * at / count))
            (a, b), (u, v) = near[at], far[at]
            line.append((a + (u - a) * share, b + (v - b) * share))
        if len(line) < 2:
            continue
        if end == count:
            (a, b), (u, v) = line[-2:]
            reach = c.hand.uniform(0.2, 1) * ragged
            length = max(1.0, ((u - a) ** 2 + (v - b) ** 2) ** 0.5)
            line.append((u + (u - a) / length * reach, v + (v - b) / length * reach))
        tone = c.hand.random()
        # Lit from where the parting is: the middle third takes the light, the edges do not.
        lit = sun * max(0.0, 1 - abs(t - 0.42) * 2.4)
        paint = light(color, lit * 0.7 * tone + 0.06) if tone > 0.55 else dark(color, 0.34 - 0.5 * tone)
        c.line(line, paint, c.hand.uniform(0.5, 1.0) * width)


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
        c.shape(curve([(x - u * 0.066, feet - u * 0.9), (x, feet - u * 0.985), (x + u * 0.066, feet - u * 0.9),
                       (x + u * 0.04, feet - u * 0.845), (x - u * 0.04, feet - u * 0.845)]), "#3a322c", rough=0)
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
    c.shape(curve(falls), light(hair_color, 0.12), dark(hair_color, 0.2), rough=u * 0.002)
    for share in (0.2, 0.45, 0.7):
        top = x - u * 0.05 + u * 0.11 * share
        c.stroke(
            [(top, feet - u * 0.95), (top + w * 0.2, feet - u * 0.82), (top + w * 0.75, feet - u * 0.69)],
            light(hair_color, 0.3) if share < 0.6 else dark(hair_color, 0.3),
            max(1.2, u * 0.014),
            alpha=0.6,
        )


def man(c: Canvas, x: float, feet: float, tall: float, coat: Color = "#3b4046", **how: float) -> None:
    """Joel, far off: dark coat, dark woolen hat."""
    small(c, x, feet, tall, coat, long=how.get("long", 0.4), shadow="#6f6a60" if how.get("shade", 1) else None)
    u = tall
    hat = [(x - u * 0.07, feet - u * 0.915), (x - u * 0.055, feet - u * 0.985), (x, feet - u * 1.01),
           (x + u * 0.055, feet - u * 0.985), (x + u * 0.07, feet - u * 0.915)]
    c.shape(curve(hat), "#4d4a4b", rough=0)
