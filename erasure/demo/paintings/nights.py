"""Nights: the skyline, the drive-in, made-up stars, rain on a windshield."""

from __future__ import annotations

import math

from erasure.demo.paintings.brush import Canvas, Point, box, curve, dark, light, mix, oval, path
from erasure.demo.paintings.figures import HAIR, glint, hair, man, small


def skyline(seed: int) -> Canvas:
    """The skyline one minute past: fireworks too bright for the film, two on a roof."""
    c = Canvas(seed)
    c.wash([(0, "#1c2838"), (0.6, "#44506a"), (1, "#9b8d88")], 0, 700, body=0.2)
    c.clouds("#6c7488", 60, 600, alpha=0.4, amount=0.5)
    for x, y, reach, tone in (
        (330, 220, 190, "#f4dfb4"),
        (690, 150, 130, "#dfe3e4"),
        (960, 280, 150, "#e9c7a2"),
    ):
        c.glow(x, y, reach * 1.9, tone, 0.65)
        for ray in range(44):
            turn = ray / 44 * 2 * math.pi + c.hand.uniform(-0.06, 0.06)
            far = reach * c.hand.uniform(0.7, 1.1)
            near = far * c.hand.uniform(0.15, 0.5)
            drop = far * 0.16
            c.stroke(
                [
                    (x + math.cos(turn) * near, y + math.sin(turn) * near),
                    (x + math.cos(turn) * far * 0.8, y + math.sin(turn) * far * 0.8 + drop * 0.4),
                    (x + math.cos(turn) * far, y + math.sin(turn) * far + drop),
                ],
                light(tone, 0.5),
                3.2,
                alpha=0.9,
            )
        c.glow(x, y, reach * 0.36, "#fffaf0", 0.95)
    for layer, (base, tone) in enumerate(((470, "#6a6f82"), (540, "#464d5e"), (610, "#2c3340"))):
        left = -20.0
        while left < 1220:
            wide = c.hand.uniform(34, 92) * (1 + layer * 0.3)
            top = base - c.hand.uniform(10, 190) + 40 * layer
            c.shape(box(left, top, left + wide, 760), tone, mix(tone, "#8f8482", 0.3), rough=1)
            if c.hand.random() < 0.25:
                c.line([(left + wide / 2, top), (left + wide / 2, top - 46)], tone, 3)
            for _ in range(int(wide / 5)):
                a, b = left + c.hand.uniform(5, wide - 7), c.hand.uniform(top + 10, 720)
                c.shape(
                    box(a, b, a + 4 + layer, b + 6 + layer),
                    "#f0d8a4",
                    alpha=c.hand.uniform(0.3, 0.9),
                    rough=0,
                )
            left += wide + c.hand.uniform(-4, 8)
    spire = path("560,640 566,300 584,270 588,190 591,110 594,190 598,270 616,300 622,640")
    c.shape(spire, "#3c4454", "#525869", rough=0.8)
    for row in range(20):
        c.shape(box(574, 310 + row * 16, 608, 313 + row * 16), "#f0d8a4", alpha=0.55, rough=0)
    c.shape(box(-10, 738, 1210, 910), "#2a2e37", "#1d2027", rough=2)
    c.shape(box(-10, 728, 1210, 744), "#c2c6cb", "#8e949d", rough=2.4)
    c.shape(path("930,738 930,600 1096,600 1096,738"), "#35322f", "#292624")
    c.shape([(914, 604), (1012, 536), (1112, 604)], "#403b37")
    for leg in (944, 1078):
        c.shape(box(leg, 730, leg + 10, 770), "#292624")
    for hoop in (630, 668, 706):
        c.line([(930, hoop), (1096, hoop)], "#1f1d1c", 3)
    small(c, 480, 868, 262, "#5c5152", hair_color=HAIR["blue"], shadow=None, wind=0.05)
    man(c, 366, 876, 282, "#20242b", shade=0)
    return c


def drive_in(seed: int) -> Canvas:
    """The drive-in from outside the fence; another seed moves closer, to the horse."""
    c = Canvas(seed)
    close = seed >= 3
    c.wash([(0, "#1f2a3b"), (0.7, "#4d5568"), (1, "#8b8283")], 0, 700, body=0.2)
    c.specks(90, "#dfe3e0", (0, 0, 1200, 380), (0.6, 1.8), alpha=0.7)
    left, top, right, bottom = (70, 120, 800, 560) if close else (520, 170, 1010, 452)
    c.glow((left + right) / 2, (top + bottom) / 2, (right - left) * 0.95, "#cdd3cf", 0.5)
    for post in (left + 60, right - 70):
        c.shape(box(post, bottom, post + 16, 690), "#1d222a")
    c.shape(box(left - 9, top - 9, right + 9, bottom + 9), "#181d25", rough=1.2)
    c.shape(box(left, top, right, bottom), "#d6d8d0", "#aab0ad", rough=1)
    w, h = right - left, bottom - top

    def on(a: float, b: float) -> Point:
        return (left + a * w, top + b * h)

    frame = box(left, top, right, bottom)
    if close:
        c.shape(
            curve(path("-0.05,0.72 0.3,0.6 0.7,0.68 1.05,0.58 1.05,1.1 -0.05,1.1", on)),
            "#7f8582",
            "#5f6663",
            within=frame,
        )
        horse = path(
            "0.28,0.5 0.4,0.42 0.56,0.44 0.66,0.28 0.74,0.2 0.76,0.12 0.79,0.2 0.87,0.36 "
            "0.855,0.42 0.77,0.385 0.71,0.52 0.66,0.64 0.5,0.66 0.36,0.64 0.27,0.66 "
            "0.25,0.56",
            on,
        )
        c.shape(curve(horse), "#4d5352", "#3a403f", rough=1.2)
        for a, lean in ((0.31, -0.03), (0.37, 0.02), (0.6, -0.02), (0.65, 0.04)):
            c.stroke([on(a, 0.58), on(a + lean, 0.74), on(a + lean * 0.4, 0.92)], "#3c4241", 26)
        c.stroke([on(0.27, 0.5), on(0.2, 0.6), on(0.2, 0.78)], "#333938", 22)
        c.stroke([on(0.74, 0.16), on(0.65, 0.3), on(0.58, 0.44)], "#2f3534", 24)
    else:
        for a, tone, size in ((0.33, "#6f7675", 1.0), (0.66, "#868c89", 0.92)):
            c.shape(
                curve(
                    [
                        on(a - 0.2 * size, 1.05),
                        on(a - 0.15 * size, 0.76),
                        on(a - 0.05, 0.66),
                        on(a + 0.05, 0.66),
                        on(a + 0.15 * size, 0.76),
                        on(a + 0.2 * size, 1.05),
                    ]
                ),
                dark(tone, 0.3),
                within=frame,
            )
            c.shape(
                oval(*on(a, 0.45), w * 0.085 * size, h * 0.22 * size), light(tone, 0.25), tone, across=a > 0.5
            )
            c.shape(
                curve(
                    [
                        on(a - 0.1, 0.5),
                        on(a - 0.09, 0.25),
                        on(a, 0.17),
                        on(a + 0.09, 0.25),
                        on(a + 0.1, 0.44),
                        on(a + 0.05, 0.31),
                        on(a - 0.05, 0.31),
                    ]
                ),
                "#3d4443",
            )
    c.shape(curve(path("-40,650 300,620 700,640 1240,610 1240,960 -40,960")), "#343b41", "#1c2126")
    for x, y, size in ((120, 640, 1.0), (330, 646, 1.1), (640, 644, 1.0), (860, 640, 1.15), (1060, 636, 1.0)):
        if close and x < 300:
            continue
        a = 64 * size
        c.shape(
            curve(
                [
                    (x - a, y + 26),
                    (x - a, y),
                    (x - a * 0.6, y - 8),
                    (x - a * 0.4, y - 32),
                    (x + a * 0.3, y - 32),
                    (x + a * 0.55, y - 6),
                    (x + a, y + 2),
                    (x + a, y + 26),
                ]
            ),
            "#22272e",
            "#15191e",
            rough=0.6,
        )
        c.stroke([(x - a * 0.38, y - 31), (x, y - 34), (x + a * 0.3, y - 31)], "#aeb5b4", 3, alpha=0.8)
    if close:
        # Her profile with the light of the screen on it, and him as a dark edge.
        c.shape(
            curve(path("760,940 790,800 850,750 960,730 1090,770 1180,850 1210,960")),
            "#3b424c",
            "#23282f",
            rough=1.5,
        )
        face = path("872,520 862,570 846,604 862,614 862,648 884,672 930,676 960,740 1000,640 990,520")
        c.shape(curve(face), "#b9a79a", "#6f6663", across=True, rough=1)
        hair(
            c,
            path("930,446 868,480 880,560 924,640 906,770"),
            path("960,444 1060,480 1100,600 1110,700 1130,800"),
            HAIR["red"],
            strands=90,
            width=3.4,
            sun=0.3,
        )
        c.stroke([(872, 470), (868, 510), (900, 545)], glint(HAIR["red"], 0.25), 22)
        c.stroke([(866, 560), (876, 564), (884, 560)], "#463f40", 4)
    for x in range(-20, 1240, 46):
        for lean in (1, -1):
            c.line([(x - lean * 170, 930), (x + lean * 170, 560 if close else 480)], "#6d747b", 1.4)
    top_rail = 556 if close else 478
    c.line([(-10, top_rail), (1210, top_rail - 6)], "#8b9297", 5)
    for post in (60, 470, 1130) if not close else (40, 640):
        c.shape(box(post, top_rail - 14, post + 11, 910), "#737b81", "#4c5359")
    if not close:
        small(c, 290, 900, 380, "#57504f", hair_color=HAIR["red"], shadow=None)
        man(c, 172, 910, 408, "#20252c", shade=0)
    return c


def stars(seed: int) -> Canvas:
    """Only dark, and lights: the made-up constellation above the far bank."""
    c = Canvas(seed)
    c.wash([(0, "#101a2b"), (0.55, "#22344c"), (1, "#52667a")], 0, 760, body=0.2)
    c.clouds("#3b5270", 0, 720, alpha=0.5, amount=0.5, flat=1)
    c.clouds("#6f86a0", 120, 560, alpha=0.22, amount=0.42, flat=1.2)
    c.specks(420, "#d8dfe4", (0, 0, 1200, 690), (0.5, 1.5), alpha=0.75)
    c.specks(60, "#f4f1e2", (0, 0, 1200, 640), (1.4, 2.6), alpha=0.95)
    beast = path("300,420 400,330 520,360 610,260 720,230 770,310 690,380 610,260")
    tail = [(520, 360), (560, 470), (690, 500)]
    for line in (beast, tail, [(400, 330), (370, 210), (450, 150)]):
        c.line(line, "#5f7893", 1.6)
        for x, y in line:
            c.glow(x, y, 26, "#e9e4cc", 0.75)
            c.shape(oval(x, y, 4.4, 4.4), "#fbf6e4", rough=0)
    ridge = [(x, 716 - c.hand.uniform(0, 34)) for x in range(-40, 1260, 34)]
    c.shape([*ridge, (1260, 790), (-40, 790)], "#1a2431", "#202d3a", rough=2)
    for _ in range(46):
        x, y = c.hand.uniform(0, 1200), c.hand.uniform(716, 742)
        c.glow(x, y, 12, "#f0cf8f", 0.9)
        c.shape(oval(x, y, 2.2, 2.2), "#fff0c8", rough=0)
        c.shape(box(x - 1.5, 750, x + 1.5, 750 + c.hand.uniform(20, 90)), "#e7c98f", alpha=0.3, soft=2)
    c.wash([(0, "#4f6376"), (1, "#90a1ab")], 748, 900, body=0.35)
    for _ in range(40):
        x = c.hand.uniform(0, 1200)
        c.stroke([(x, 752), (x + 2, 790), (x, 752 + c.hand.uniform(40, 120))], "#d9c9a0", 5, alpha=0.3)
    c.clouds("#c8d2d5", 760, 900, alpha=0.4, amount=0.5, flat=7)
    man(c, 880, 872, 128, "#121a24", shade=0)
    small(c, 940, 872, 118, "#2d3138", hair_color=HAIR["green"], shadow=None)
    return c


def car_rain(seed: int) -> Canvas:
    """The argument in the car: rain, smeared lights, two backs of heads."""
    c = Canvas(seed)
    c.wash([(0, "#2b3542"), (0.5, "#4a525c"), (1, "#262c34")], body=0.2)
    for _ in range(34):
        x, y = c.hand.uniform(90, 1110), c.hand.uniform(180, 520)
        tone = c.hand.choice(("#f0d29a", "#d9a67c", "#c9d0cf", "#b9766a", "#e9dfc4", "#8fa1ae"))
        size = c.hand.uniform(14, 46)
        c.shape(oval(x, y, size, size), tone, alpha=c.hand.uniform(0.25, 0.6), soft=2.5, rough=0, body=0)
        c.shape(box(x - size * 0.4, 520, x + size * 0.4, 640), tone, alpha=0.16, soft=12, rough=0)
    c.blurred(5)
    for _ in range(170):
        x, y = c.hand.uniform(60, 1140), c.hand.uniform(90, 600)
        size = c.hand.uniform(2, 7)
        c.shape(oval(x, y, size * 0.8, size), "#1f2730", alpha=0.5, rough=0, body=0)
        c.shape(
            oval(x - size * 0.15, y + size * 0.25, size * 0.5, size * 0.55),
            "#e3e4dc",
            alpha=0.75,
            rough=0,
            body=0,
        )
    for _ in range(22):
        x, y = c.hand.uniform(80, 1120), c.hand.uniform(100, 380)
        c.stroke(
            [
                (x, y),
                (x + c.hand.uniform(-6, 6), y + 60),
                (x + c.hand.uniform(-14, 14), y + c.hand.uniform(110, 220)),
            ],
            "#cfd4d2",
            5,
            alpha=0.35,
        )
    c.stroke([(150, 610), (420, 470), (640, 250)], "#12161b", 13)
    c.stroke([(620, 620), (830, 470), (1010, 270)], "#12161b", 13)
    frame = "#14181e"
    c.shape(path("-10,-10 1210,-10 1210,96 600,66 -10,96"), frame)
    c.shape(path("-10,60 70,90 40,640 -10,660"), frame)
    c.shape(path("1210,60 1130,90 1160,640 1210,660"), frame)
    c.shape(curve(path("500,92 600,84 704,92 712,150 600,164 490,150")), "#1b2027")
    c.shape(curve(path("508,100 600,94 696,100 700,142 600,152 502,142")), "#59636c", "#3a434c")
    c.shape(curve(path("-40,640 300,590 640,604 900,590 1240,630 1240,960 -40,960")), "#1d2229", "#14181d")
    c.glow(300, 660, 110, "#a9bba8", 0.4)
    c.line([(oval(290, 710, 150, 128)[i % 36]) for i in range(17, 38)], "#0e1115", 18)
    for x, back in ((310, "#272d35"), (890, "#2a2b30")):
        c.shape(
            curve(
                [(x - 180, 960), (x - 160, 800), (x - 90, 740), (x + 90, 740), (x + 160, 800), (x + 180, 960)]
            ),
            back,
            dark(back, 0.3),
            rough=1.5,
        )
    c.shape(oval(306, 610, 92, 118), "#7d6a5f", "#54473f", across=True)
    c.shape(
        curve(
            path("212,610 222,530 262,482 306,470 350,482 390,530 400,610 380,680 340,716 272,716 232,680")
        ),
        "#2c2725",
        "#1e1b1b",
        rough=2,
    )
    face = path("800,560 782,610 796,630 800,672 850,700 900,690 900,540")
    c.shape(curve(face), "#a88d80", "#6c5a55", across=True)
    hair(
        c,
        path("870,470 804,500 812,590 850,680 826,800"),
        path("900,468 990,500 1016,620 1012,730 1030,840"),
        HAIR["blue"],
        strands=100,
        width=3.6,
        sun=0.3,
    )
    return c
