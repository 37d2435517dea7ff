"""Montauk in winter, the frozen river, the lake."""

from __future__ import annotations

from erasure.demo.paintings.brush import Canvas, Color, Point, curve, dark, light, mix, oval, path
from erasure.demo.paintings.figures import HAIR, glint, hair, man, small


def _sky(c: Canvas, horizon: float, high: Color, low: Color, cloud: Color, *, amount: float = 0.5) -> None:
    c.wash([(0, high), (0.65, mix(high, low, 0.7)), (1, low)], 0, horizon + 4, body=0.14)
    c.clouds(cloud, 0, horizon, alpha=0.55, amount=amount, flat=2.6)
    c.clouds(light(low, 0.5), horizon * 0.45, horizon, alpha=0.6, amount=0.45, flat=4)


def _water(c: Canvas, top: float, bottom: float, far: Color, near: Color, *, waves: int = 46) -> None:
    c.wash([(0, far), (1, near)], top, bottom, body=0.34)
    for _ in range(waves):
        depth = c.hand.random() ** 1.6
        y = top + 3 + depth * (bottom - top - 8)
        x, reach = c.hand.uniform(-60, c.width), c.hand.uniform(40, 190) * (0.35 + depth)
        tone = light(near, 0.5) if c.hand.random() > 0.45 else dark(far, 0.22)
        c.stroke(
            [(x, y), (x + reach / 2, y - 1 - 3 * depth), (x + reach, y)], tone, 1.6 + 4 * depth, alpha=0.5
        )


def _surf(c: Canvas, y: float, drop: float, foam: Color = "#eeebe1", thick: float = 9) -> None:
    """One line of foam across the picture, with a wet shine below it."""
    step = c.width / 9
    line = [(step * i - step, y + drop * i / 9 + c.hand.uniform(-7, 7)) for i in range(12)]
    edge = curve(line, closed=False)
    low = [(px, py + thick * c.hand.uniform(0.5, 1.6)) for px, py in edge]
    c.shape([*edge, *reversed(low)], foam, alpha=0.9, soft=1.2, rough=1.5)
    c.shape(
        [*low, *((px, py + thick * 2.4) for px, py in reversed(low))], dark(foam, 0.45), alpha=0.28, soft=5
    )


def _sand(c: Canvas, top: float, far: Color, near: Color) -> None:
    c.wash([(0, far), (1, near)], top, c.height, body=0.4)
    c.clouds(dark(far, 0.3), top, c.height, alpha=0.22, amount=0.5, flat=5)
    c.clouds(light(near, 0.6), top, c.height, alpha=0.3, amount=0.42, flat=6)
    c.specks(240, dark(near, 0.45), (0, top + 40, c.width, c.height), (0.5, 1.8), alpha=0.4, flat=1.8)


def _grass(c: Canvas, x: float, y: float, count: int, tall: float, color: Color, lean: float = 0.4) -> None:
    for _ in range(count):
        root = c.about(x, tall * 0.5)
        length = tall * c.hand.uniform(0.45, 1.0)
        tip = root + length * (lean + c.hand.uniform(-0.3, 0.35))
        shade = mix(color, "#6b6048", c.hand.uniform(0, 0.6))
        c.line(
            [(root, y), (root + (tip - root) * 0.3, y - length * 0.6), (tip, y - length)],
            light(shade, c.hand.uniform(0, 0.3)),
            c.hand.uniform(1.0, 2.2),
        )


def _house(c: Canvas, x: float, y: float, wide: float, wall: Color, roof: Color, lamp: Color | None) -> None:
    """A gray shingled beach house with its left foot at (x, y)."""
    tall = wide * 0.42
    peak = y - tall - wide * 0.3
    c.shape(
        [(x, y), (x, y - tall), (x + wide * 0.62, y - tall), (x + wide * 0.62, y)], wall, dark(wall, 0.15)
    )
    gable = [
        (x + wide * 0.6, y),
        (x + wide * 0.6, y - tall),
        (x + wide * 0.8, peak),
        (x + wide, y - tall),
        (x + wide, y),
    ]
    c.shape(gable, light(wall, 0.16), dark(wall, 0.05))
    c.shape(
        [
            (x - wide * 0.04, y - tall),
            (x + wide * 0.14, peak),
            (x + wide * 0.81, peak),
            (x + wide * 0.62, y - tall),
        ],
        roof,
        dark(roof, 0.2),
    )
    c.line(
        [(x + wide * 0.58, y - tall * 0.96), (x + wide * 0.8, peak), (x + wide * 1.03, y - tall * 0.94)],
        light(wall, 0.4),
        wide * 0.018,
    )
    c.shape(
        [
            (x + wide * 0.25, peak + 3),
            (x + wide * 0.25, peak - wide * 0.11),
            (x + wide * 0.33, peak - wide * 0.11),
            (x + wide * 0.33, peak + 3),
        ],
        dark(wall, 0.3),
    )
    for number in range(5):
        row = y - tall * (0.12 + 0.18 * number)
        c.stroke(
            [(x + 2, row), (x + wide * 0.3, row + 1), (x + wide * 0.6, row)], dark(wall, 0.25), 2, alpha=0.5
        )
    for at, high, across in ((0.1, 0.72, 0.13), (0.36, 0.72, 0.13), (0.735, 0.74, 0.13)):
        left, top = x + wide * at, y - tall * high
        right, bottom = left + wide * across, top + tall * 0.38
        pane = [(left, top), (right, top), (right, bottom), (left, bottom)]
        if lamp:
            c.glow((left + right) / 2, (top + bottom) / 2, wide * 0.2, lamp, 0.75)
        c.shape(pane, lamp or "#3f4a50", light(lamp, 0.4) if lamp else dark("#3f4a50", 0.3), rough=0.4)
        for line in (
            [((left + right) / 2, top), ((left + right) / 2, bottom)],
            [(left, (top + bottom) / 2), (right, (top + bottom) / 2)],
        ):
            c.line(line, light(wall, 0.45), max(1, wide * 0.008))


def _gulls(c: Canvas, count: int, area: tuple[float, float, float, float], color: Color = "#5f666a") -> None:
    for _ in range(count):
        x, y = c.hand.uniform(area[0], area[2]), c.hand.uniform(area[1], area[3])
        wing = c.hand.uniform(8, 20)
        c.line(
            curve(
                [
                    (x - wing, y - wing * 0.2),
                    (x - wing * 0.4, y - wing * 0.45),
                    (x, y),
                    (x + wing * 0.45, y - wing * 0.5),
                    (x + wing, y - wing * 0.1),
                ],
                closed=False,
            ),
            color,
            1.8,
        )


def beach_far(seed: int) -> Canvas:
    """She stands at the water, far off, in an orange sweater gone pale."""
    c = Canvas(seed)
    _sky(c, 430, "#9fabb0", "#d8d0c0", "#e6e0d3", amount=0.55)
    _water(c, 428, 590, "#6f858c", "#93a5a5")
    _surf(c, 520, 8, thick=5)
    _sand(c, 585, "#b9ad96", "#cfc2a8")
    c.shape(
        [(0, 588), (c.width, 596), (c.width, 640), (700, 650), (300, 632), (0, 640)],
        "#8f9189",
        "#b3aa97",
        soft=9,
        alpha=0.9,
    )
    _surf(c, 582, 10, thick=13)
    x = c.about(770, 30)
    c.shape(oval(x + 6, 672, 16, 36), "#84705a", alpha=0.28, soft=8)
    small(c, x, 640, 150, "#b98862", hair_color=HAIR["green"], wind=0.14, legs="#3d4650")
    for step in range(9):
        c.shape(
            oval(x - 30 - step * 44 + step % 2 * 12, 662 + step * 19, 7 + step * 1.3, 3 + step * 0.6),
            "#93866d",
            alpha=0.75,
            soft=1.2,
        )
    _gulls(c, 5, (180, 130, 620, 300))
    c.shape(curve(path("-40,900 -20,790 140,742 330,800 470,905")), "#a99a7d", "#8f8168", soft=3)
    for at in range(9):
        _grass(c, 8 + at * 42, 800 + abs(at - 3) * 12, 20, 130, "#9a8f68")
    return c


def beach_house(seed: int) -> Canvas:
    """The house that was nobody's: dusk, every candle lit."""
    c = Canvas(seed)
    _sky(c, 560, "#58697a", "#c9b6a4", "#8b8f98", amount=0.5)
    c.clouds("#d9b49a", 380, 560, alpha=0.5, amount=0.5, flat=5)
    _water(c, 556, 640, "#5b6d7b", "#8a949a", waves=24)
    c.shape(
        curve(path("-60,700 180,640 520,622 860,590 1260,610 1280,940 -60,940")),
        "#8f8673",
        "#6d6657",
        rough=2,
    )
    c.glow(640, 640, 260, "#e6bd7c", 0.35)
    _house(c, 430, 640, 400, "#6d7378", "#474c55", "#f0c987")
    for at in range(6):
        c.shape(
            [(450 + at * 62, 640), (458 + at * 62, 640), (456 + at * 62, 668), (449 + at * 62, 668)],
            "#4b4a4a",
        )
    c.shape(path("470,700 620,690 700,760 560,780"), "#d8b27d", alpha=0.35, soft=16)
    c.shape(
        curve(path("-60,760 150,730 420,790 700,850 980,800 1260,720 1280,960 -60,960")),
        "#7a7160",
        "#4f4a42",
        rough=2,
    )
    for at in range(16):
        x = at * 84 - 10
        _grass(c, x, 800 + 60 * (1 - abs(x - 620) / 620) + 30, 22, 150, "#6f6a50", lean=-0.35)
    small(c, 322, 732, 118, "#6f5a4c", hair_color=HAIR["blue"], wind=-0.12, shadow=None)
    man(c, 236, 752, 132, "#2f343b", shade=0)
    return c


def beach_orange(seed: int) -> Canvas:
    """Close, from behind, her orange hair against the sea: sand in the shoes."""
    c = Canvas(seed)
    _sky(c, 330, "#c4c6c1", "#e3d8c5", "#efe8da", amount=0.6)
    _water(c, 328, 470, "#7e9397", "#a6b2ae", waves=34)
    _surf(c, 452, -14, thick=10)
    _sand(c, 474, "#c4b69c", "#d8cab0")
    _surf(c, 478, -10, thick=7)
    c.shape(oval(980, 520, 60, 8), "#8d8069", alpha=0.5, soft=5)
    _house(c, 925, 470, 110, "#8b8a86", "#62636a", None)
    coat = path("300,910 320,760 380,668 470,626 610,626 700,668 756,770 780,910")
    c.shape(curve([*coat, (540, 940)]), "#67737c", "#414b55", rough=2)
    c.stroke([(405, 700), (380, 790), (372, 900)], "#363f48", 10, alpha=0.7)
    c.stroke([(690, 700), (712, 800), (716, 900)], "#7f8a91", 12, alpha=0.6)
    left = path("520,236 430,280 392,400 390,540 360,690")
    right = path("540,234 640,270 690,390 740,520 850,600")
    hair(c, left, right, HAIR["orange"], strands=130, width=4, sun=0.5, ragged=40)
    for _ in range(12):
        y = c.hand.uniform(420, 600)
        c.stroke(
            [(690, y - 30), (760, y + 10), (c.hand.uniform(830, 930), y - c.hand.uniform(0, 50))],
            glint(HAIR["orange"], 0.15),
            3,
            alpha=0.8,
        )
    return c


def footprints(seed: int) -> Canvas:
    """Two kinds of prints over crusted snow down to the water, seen from above one's own feet."""
    c = Canvas(seed)
    _sky(c, 150, "#aeb8be", "#d5d2c9", "#e3e0d8")
    _water(c, 148, 232, "#71868f", "#96a5a8", waves=20)
    _surf(c, 226, 18, thick=8)
    c.wash([(0, "#d5d6d3"), (0.5, "#e2e1dc"), (1, "#cfd3d6")], 240, 900, body=0.3)
    c.clouds("#b9c2c9", 240, 900, alpha=0.5, amount=0.5, flat=3)
    c.shape(
        curve(path("-40,240 300,262 620,250 1240,275 1240,300 600,288 -40,290")), "#b9ad99", alpha=0.8, soft=4
    )
    for step in range(13):
        t = (step / 12) ** 1.5
        size = 6 + 38 * t
        y = 292 + 620 * t
        x = 560 - 190 * t + (size * 0.75 if step % 2 else -size * 0.75)
        # He broke through: deep, blue, with a lit rim.
        c.shape(oval(x + size * 0.15, y - size * 0.1, size * 0.72, size * 1.15), "#f1efe9", soft=2, alpha=0.9)
        c.shape(oval(x, y, size * 0.62, size * 1.02), "#77879a", "#a7b3bf", rough=size * 0.06)
        c.shape(
            oval(x - size * 0.1, y - size * 0.25, size * 0.42, size * 0.6),
            "#5c6c80",
            alpha=0.6,
            soft=size * 0.12,
        )
    for step in range(14):
        t = (step / 13) ** 1.5
        size = 4 + 24 * t
        y = 288 + 590 * t
        x = 650 + 190 * t + (size * 0.7 if step % 2 else -size * 0.7)
        c.shape(oval(x, y, size * 0.5, size), "#b3bcc4", "#c6ccd0", rough=0.6, soft=1)
        c.shape(oval(x, y + size * 1.2, size * 0.34, size * 0.36), "#b3bcc4", rough=0.6, soft=1)
    small(c, 676, 284, 88, "#7d6a5e", hair_color=HAIR["blue"], wind=0.12, shadow="#8b97a3")
    man(c, 540, 288, 94)
    return c


def frozen_river(seed: int) -> Canvas:
    """Two on their backs on the ice at night, from the bridge: cracks like branches around them."""
    c = Canvas(seed)
    c.wash([(0, "#7c92a2"), (0.5, "#a5b6be"), (1, "#5f7587")], body=0.3)
    c.clouds("#dbe3e3", 0, 900, alpha=0.6, amount=0.52, flat=1)
    c.clouds("#4a6073", 0, 900, alpha=0.5, amount=0.4, flat=1.4)
    c.glow(560, 430, 560, "#e6ecea", 0.5)

    def crack(x: float, y: float, dx: float, dy: float, left: int, width: float) -> None:
        line = [(x, y)]
        for _ in range(5):
            x += dx * 28 + c.hand.uniform(-16, 16)
            y += dy * 28 + c.hand.uniform(-16, 16)
            line.append((x, y))
        c.line([(a + 1.5, b + 2) for a, b in line], "#f0f3f0", width + 1)
        c.line(line, "#5d7486", width)
        if left:
            for turn in (-0.55, 0.45):
                nx, ny = dx - dy * turn, dy + dx * turn
                size = (nx * nx + ny * ny) ** 0.5
                if c.hand.random() < 0.8:
                    crack(x, y, nx / size, ny / size, left - 1, max(0.8, width * 0.7))

    for dx, dy in ((-0.95, -0.3), (0.9, -0.42), (0.3, 0.95), (-0.6, 0.8), (0.98, 0.15), (-0.2, -0.98)):
        crack(600 + dx * 60, 470 + dy * 60, dx, dy, 2, 3.2)
    # Seen from above, heads together, hand in hand.
    c.shape(oval(600, 520, 250, 300), "#31465a", alpha=0.45, soft=40)
    for side, coat, legs in ((-1, "#3c434b", "#2e333b"), (1, "#8d6a52", "#4b5663")):
        _lying(c, 600 + side * 78, 330, side, coat, legs)
    c.stroke([(566, 560), (600, 574), (634, 560)], "#d8bda6", 30)
    c.specks(260, "#f3f4ef", (0, 0, 1200, 900), (0.6, 2), alpha=0.7)
    return c


def _lying(c: Canvas, x: float, y: float, side: int, coat: Color, legs: Color) -> None:
    """Somebody on the back, seen from above, the head at (x, y), the feet drifting out to `side`."""

    def at(a: float, b: float) -> Point:
        return (x + side * a + side * b * (0.1 + b * 0.0002), y + b)

    for leg, long in ((-24, 400), (26, 412)):
        c.shape(
            curve(
                [
                    at(leg - 24, 240),
                    at(leg + 24, 240),
                    at(leg + 17, 330),
                    at(leg + 13, long),
                    at(leg - 13, long),
                    at(leg - 18, 330),
                ]
            ),
            light(legs, 0.06),
            dark(legs, 0.1),
            rough=1.2,
        )
        c.shape(oval(*at(leg + 5, long + 12), 19, 26, tilt=-side * 0.3), "#2a2a2c", rough=1)
    c.stroke([at(-52, 84), at(-92, 160), at(-64, 226)], dark(coat, 0.18), 44)
    c.stroke([at(54, 84), at(120, 140), at(176, 182)], dark(coat, 0.06), 44)
    c.shape(oval(*at(184, 188), 15, 17), "#d0b098", rough=0.8)
    if side > 0:
        for left, right in (
            (
                [(x - 6, y + 6), (x - 60, y - 20), (x - 104, y - 90), (x - 70, y - 190)],
                [(x + 4, y - 8), (x - 14, y - 60), (x - 24, y - 120), (x + 30, y - 230)],
            ),
            (
                [(x - 30, y + 6), (x - 46, y - 60), (x - 64, y - 130), (x - 26, y - 236)],
                [(x + 30, y + 6), (x + 40, y - 50), (x + 76, y - 104), (x + 160, y - 180)],
            ),
            (
                [(x, y - 8), (x + 36, y - 54), (x + 60, y - 110), (x + 104, y - 200)],
                [(x + 10, y + 16), (x + 76, y - 8), (x + 134, y - 50), (x + 226, y - 96)],
            ),
        ):
            hair(c, left, right, HAIR["green"], strands=50, width=3, sun=0.6, ragged=34)
    body = path("-34,46 34,46 72,78 64,160 82,262 0,274 -78,262 -58,150 -70,76", at)
    c.shape(curve(body), light(coat, 0.14), dark(coat, 0.16), rough=1.4, body=0.3)
    c.stroke([at(2, 66), at(4, 160), at(0, 268)], dark(coat, 0.4), 4, alpha=0.8)
    c.shape(
        curve(path("-42,52 0,40 42,52 36,82 0,92 -36,82", at)),
        "#7d8a8f" if side < 0 else "#c9b998",
        rough=1.2,
    )
    c.shape(oval(x, y + 4, 43, 51), "#e0c6ae" if side > 0 else "#cfb097", "#b99880", rough=0.8)
    for cheek in (-22, 22):
        c.shape(oval(x + cheek, y + 20, 11, 8), "#c9826e", alpha=0.35, soft=4, rough=0)
        c.stroke(
            [(x + cheek - 8, y + 3), (x + cheek, y + 7), (x + cheek + 8, y + 3)], "#54433b", 3, alpha=0.85
        )
    c.stroke([(x - 9, y + 31), (x, y + 35), (x + 9, y + 31)], "#96584d", 4, alpha=0.75)
    if side < 0:
        c.shape(
            curve(
                [
                    (x - 48, y - 4),
                    (x - 42, y - 44),
                    (x, y - 66),
                    (x + 42, y - 44),
                    (x + 48, y - 4),
                    (x, y - 18),
                ]
            ),
            "#54514f",
            "#3e3c3c",
            rough=1,
        )
    else:
        for lean in (-1, 1):
            c.shape(
                curve(
                    [
                        (x, y - 50),
                        (x + lean * 30, y - 44),
                        (x + lean * 48, y - 6),
                        (x + lean * 45, y + 22),
                        (x + lean * 34, y - 6),
                        (x, y - 28),
                    ]
                ),
                dark(HAIR["green"], 0.08),
                rough=1,
            )


def lake(seed: int) -> Canvas:
    """August, a dock, three people who do not look at the camera."""
    c = Canvas(seed)
    _sky(c, 300, "#b3bfc0", "#dfd6c3", "#ece6d8")
    for number in range(3):
        base = 300 + number * 6
        ridge = [(x, base - 46 + number * 22 - c.hand.uniform(0, 42)) for x in range(-60, 1300, 70)]
        c.shape(
            [*curve(ridge, closed=False), (1280, base + 8), (-80, base + 8)],
            mix("#8fa0a0", "#55645c", number / 2),
            mix("#9faeab", "#66736a", number / 2),
            rough=2,
        )
    _water(c, 306, 900, "#8d9e9e", "#5d7074", waves=70)
    c.clouds("#c9cfc8", 306, 620, alpha=0.5, amount=0.5, flat=8)
    c.shape(path("0,312 1200,312 1200,372 0,360"), "#56655f", alpha=0.4, soft=10)
    dock = path("560,900 760,470 930,470 1220,900")
    c.shape(path("540,910 740,492 760,482 600,910"), "#33454a", alpha=0.6, soft=6)
    c.shape(dock, "#b3a78f", "#8d8069", rough=1.5)
    for number in range(16):
        t = (number / 15) ** 1.6
        y = 474 + t * 420
        c.line([(760 - 200 * (y - 470) / 430, y), (930 + 290 * (y - 470) / 430, y)], "#6c6250", 1.2 + 4 * t)
    for x, y in ((752, 486), (938, 486), (660, 700), (1080, 700)):
        c.shape([(x - 9, y - 46), (x + 9, y - 46), (x + 10, y + 40), (x - 10, y + 40)], "#6f6553", "#4d473c")
    small(c, 800, 560, 196, "#8f7f74", hair_color=HAIR["red"], wind=-0.03, legs="#c9a78d", long=0.34)
    small(c, 882, 548, 116, "#a7a793", legs="#c9a78d", long=0.3)
    small(c, 990, 700, 252, "#7f8b8d", legs="#5d6266", long=0.5)
    c.shape(curve(path("978,462 990,446 1004,462 1010,500 990,514 970,500")), "#6a4e3c", rough=0)
    for at in range(12):
        _grass(c, 20 + at * 38, 905, 12, 190 - at * 9, "#7d8060", lean=0.12)
    return c
