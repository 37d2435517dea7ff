"""The train from Montauk, and back."""

from __future__ import annotations

from PIL import Image

from erasure.demo.paintings.brush import Canvas, box, curve, dark, light, oval, path
from erasure.demo.paintings.figures import HAIR, face, hair, parted


def train_window(seed: int) -> Canvas:
    """The train back: fields going by, and in the glass, her."""
    c = Canvas(seed)
    c.wash([(0, "#b5bfc2"), (1, "#ded7c8")], 0, 470, body=0.14)
    c.clouds("#e9e4d8", 40, 440, alpha=0.6, amount=0.5, flat=4)
    for number, tone in enumerate(("#98a1a0", "#7c837d", "#67695f")):
        line = [(x, 450 + number * 44 - c.hand.uniform(0, 46 - number * 8)) for x in range(-60, 1290, 50)]
        c.shape([*curve(line, closed=False), (1260, 720), (-60, 720)], tone, light(tone, 0.25), rough=1.5)
    for _ in range(16):
        x = c.hand.choice((c.hand.uniform(80, 590), c.hand.uniform(870, 1110)))
        y = c.hand.uniform(530, 560)
        tall = c.hand.uniform(70, 170)
        c.stroke([(x, y), (x + 2, y - tall * 0.5), (x + 5, y - tall)], "#4f5250", 6)
        for branch in range(6):
            side = 1 if branch % 2 else -1
            c.stroke(
                [
                    (x + 2, y - tall * (0.4 + branch * 0.08)),
                    (x + side * tall * 0.14, y - tall * (0.55 + branch * 0.07)),
                    (x + side * tall * 0.22, y - tall * (0.72 + branch * 0.06)),
                ],
                "#5b5e5b",
                3,
            )
    c.shape(box(-10, 560, 1210, 720), "#a39d8b", "#857e6d", rough=1)
    for _ in range(14):
        y = c.hand.uniform(575, 700)
        c.stroke(
            [(c.hand.uniform(-100, 500), y), (600, y - 3), (c.hand.uniform(700, 1300), y)],
            c.hand.choice(("#cdc7b7", "#77725f")),
            7,
            alpha=0.5,
            soft=2,
        )
    for x in (150, 820):
        c.shape(box(x, 120, x + 14, 640), "#6c6b66", alpha=0.75, soft=3)
        c.line(
            curve([(x - 700, 150), (x - 340, 196), (x, 150), (x + 340, 196), (x + 680, 150)], closed=False),
            "#7f8180",
            2,
        )
    # Her reflection: half a face, looking out.
    c.shape(curve(path("560,740 580,640 660,590 800,590 900,650 930,740")), "#8f7866", alpha=0.62, soft=4)
    scenery = c.image.copy()
    face(c, 720, 440, 122, -1)
    parted(c, 720, 440, 122, HAIR["green"], -1, long=1.9)
    # A reflection: the fields go through her.
    c.image = Image.blend(c.image, scenery, 0.18)
    c.shape(path("120,90 420,90 180,720 60,720"), "#f6f3ea", alpha=0.2, soft=8)
    wall = "#7f8682"
    for piece in (
        box(-10, -10, 1210, 78),
        box(-10, -10, 76, 910),
        box(1124, -10, 1210, 910),
        box(-10, 700, 1210, 910),
    ):
        c.shape(piece, light(wall, 0.12), dark(wall, 0.12), rough=0.8)
    for corner in (
        "70,70 116,70 70,116",
        "1130,70 1084,70 1130,116",
        "70,706 116,706 70,660",
        "1130,706 1084,706 1130,660",
    ):
        c.shape(path(corner), wall, rough=0)
    c.line(
        [
            *curve([(82, 110), (110, 84)], closed=False),
            (1090, 84),
            (1118, 112),
            (1118, 668),
            (1090, 696),
            (110, 696),
            (82, 668),
            (82, 110),
        ],
        "#4e5452",
        10,
    )
    c.shape(box(40, 716, 1160, 744), "#a5aaa3", "#6c736f")
    c.shape(curve(path("-60,960 -40,800 120,772 420,780 520,830 540,960")), "#5a4a45", "#423733", rough=1.5)
    c.stroke([(-20, 806), (250, 786), (480, 812)], "#8b756b", 9, alpha=0.7)
    return c


def train_red(seed: int) -> Canvas:
    """The train to Montauk, again: asleep against the glass."""
    c = Canvas(seed)
    c.wash([(0, "#a9b6bc"), (1, "#dcd8cc")], 0, 620, body=0.15)
    c.clouds("#eae7dd", 0, 500, alpha=0.6, amount=0.5, flat=3)
    c.shape(path("-10,470 700,440 700,640 -10,660"), "#7d8c93", "#93a0a3", soft=3)
    c.shape(path("-10,540 700,520 700,700 -10,700"), "#b0a58f", "#9c917b", soft=4)
    for _ in range(30):
        y = c.hand.uniform(460, 690)
        c.stroke(
            [(c.hand.uniform(-100, 100), y + 6), (300, y), (c.hand.uniform(450, 760), y - 8)],
            c.hand.choice(("#d6cebb", "#7f8585", "#a69d88", "#e4dfd2")),
            8,
            alpha=0.4,
            soft=3,
        )
    c.shape(path("60,0 210,0 90,700 -20,700"), "#f7f5ec", alpha=0.25, soft=10)
    wall = "#77807f"
    c.shape(
        path("690,-10 1210,-10 1210,910 640,910"), light(wall, 0.12), dark(wall, 0.2), across=True, rough=1
    )
    c.shape(path("664,-10 716,-10 690,700 630,700"), "#4c5352", "#616967", across=True, rough=1)
    c.shape(path("-10,690 680,668 676,740 -10,770"), "#8b9390", "#5f6765", rough=1)
    c.shape(path("-10,762 672,736 660,910 -10,910"), light(wall, 0.05), dark(wall, 0.25), rough=1)
    c.shape(
        curve(path("820,950 800,560 850,330 960,270 1240,280 1260,950")),
        "#5f4b45",
        "#43352f",
        rough=2,
        body=0.35,
    )
    c.stroke([(850, 600), (846, 420), (930, 310)], "#8a7268", 9, alpha=0.6)
    # Her head leans left onto the glass.
    c.shape(
        curve(path("480,950 500,800 600,700 760,660 920,720 1000,830 1020,950")),
        "#8a8279",
        "#5c5650",
        rough=2,
        body=0.35,
    )
    c.shape(curve(path("560,730 640,690 800,690 860,740 780,800 620,800")), "#b5a88f", "#8f836c", rough=2)
    _profile_asleep(c)
    hair(
        c,
        path("640,300 740,270 850,340 900,520 900,760"),
        path("620,330 640,380 706,470 750,600 760,800"),
        HAIR["red"],
        strands=130,
        width=4,
        sun=0.45,
        ragged=50,
    )
    hair(
        c,
        path("640,300 590,330 590,400 622,470"),
        path("680,290 690,350 690,430 700,520"),
        HAIR["red"],
        strands=40,
        width=3.6,
        sun=0.7,
        ragged=16,
    )
    c.glow(560, 560, 80, "#f4f4ef", 0.4)
    return c


def _profile_asleep(c: Canvas) -> None:
    c.shape(
        curve(
            path(
                "640,330 590,400 566,470 560,500 536,534 552,548 558,566 550,580 562,592 "
                "556,610 580,640 640,650 720,700 780,560 740,380"
            ),
            steps=5,
        ),
        "#ead0ba",
        "#b08f7a",
        across=True,
        rough=0.8,
    )
    c.stroke([(584, 488), (604, 500), (628, 496)], "#54433b", 6, alpha=0.85)
    c.stroke([(580, 446), (604, 440), (634, 448)], "#7a5d4c", 6, alpha=0.5)
    c.stroke([(556, 581), (572, 584), (586, 582)], "#a05f54", 7, alpha=0.7)
    c.shape(oval(614, 556, 30, 22), "#cd907d", alpha=0.35, soft=10)
