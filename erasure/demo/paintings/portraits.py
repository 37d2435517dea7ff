"""Her, close: in the window, in the mirror, turned away. The face is barely there; the hair is."""

from __future__ import annotations

from collections.abc import Sequence

from erasure.demo.paintings.brush import Canvas, Color, Point, box, curve, dark, light, mix, oval, path
from erasure.demo.paintings.figures import HAIR, face, glint, hair, parted, profile

Outline = Sequence[Point]


def _panes(
    c: Canvas, left: float, top: float, right: float, bottom: float, bars: tuple[int, int], wood: Color
) -> None:
    """A window with winter behind it."""
    frame = box(left, top, right, bottom)
    c.shape(frame, "#d3dadb", "#ece8dc", rough=0.8)
    mid = (left + right) / 2
    for number, tone in enumerate(("#aeb7b8", "#8f9797")):
        y = bottom - (bottom - top) * (0.3 - number * 0.12)
        c.shape(
            curve(
                [
                    (left - 40, y),
                    (left + 60, y - 34 + number * 20),
                    (mid, y - 10),
                    (right - 50, y - 40),
                    (right + 40, y),
                    (right + 40, bottom + 40),
                    (left - 40, bottom + 40),
                ]
            ),
            tone,
            light(tone, 0.4),
            within=frame,
        )
    c.stroke([(mid + 60, bottom - 20), (mid + 66, mid), (mid + 50, top + 120)], "#767b79", 13, alpha=0.7)
    for number in range(7):
        y = top + 180 + number * 44
        side = 1 if number % 2 else -1
        tip = min(max(mid + 60 + side * 110, left + 12), right - 12)
        c.stroke([(mid + 62, y + 60), (mid + 62 + side * 40, y + 10), (tip, y - 40)], "#868b88", 6, alpha=0.7)
    across, down = bars
    for number in range(1, across):
        x = left + (right - left) * number / across
        c.shape(box(x - 6, top, x + 6, bottom), light(wood, 0.2), wood, across=True)
    for number in range(1, down):
        y = top + (bottom - top) * number / down
        c.shape(box(left, y - 6, right, y + 6), light(wood, 0.2), wood)
    for piece in (
        box(left - 26, top - 26, left, bottom + 26),
        box(right, top - 26, right + 26, bottom + 26),
        box(left - 26, top - 26, right + 26, top),
        box(left - 40, bottom, right + 40, bottom + 34),
    ):
        c.shape(piece, light(wood, 0.3), wood, rough=1)


def portrait_green(seed: int) -> Canvas:
    """In the window, green: from the side, a cup in both hands."""
    c = Canvas(seed, upright=True)
    c.wash([(0, "#a9aaa0"), (1, "#8c897d")], body=0.3)
    _panes(c, 480, 90, 940, 800, (2, 3), "#c9c3b2")
    c.shape(path("480,90 480,800 -20,1210 -20,500"), "#f6f0df", alpha=0.16, soft=30)
    c.shape(box(-10, 1040, 910, 1210), "#8a7358", "#6a5641", rough=1.5)
    c.shape(
        curve(path("40,1230 70,1000 150,860 290,800 430,820 530,920 570,1060 590,1230")),
        "#97917f",
        "#716c60",
        across=True,
        rough=2,
        body=0.35,
    )
    c.stroke([(470, 900), (560, 1040), (640, 1010)], "#8f8977", 96)
    c.shape(curve(path("250,800 330,830 420,812 450,850 340,880 240,850")), "#a9a391", "#8a8474")
    profile(c, 350, 560, 260, 1, "#ead2bb", "#b8977f")
    hair(
        c,
        path("330,366 220,390 150,520 140,720 110,960"),
        path("350,366 356,430 330,560 320,720 310,930"),
        HAIR["green"],
        strands=120,
        width=4,
        sun=0.4,
        ragged=44,
    )
    hair(
        c,
        path("330,362 300,420 290,540 270,700 270,830"),
        path("350,360 440,400 410,500 352,620 346,800"),
        HAIR["green"],
        strands=54,
        width=4,
        sun=0.9,
        ragged=30,
    )
    c.stroke([(606, 1002), (640, 960), (690, 968)], "#dcbfa6", 44)
    c.shape(path("640,930 756,930 744,1060 654,1060"), "#e6dfcd", "#b8b09c", across=True, rough=1)
    c.shape(oval(698, 930, 58, 13), "#6e5643")
    c.stroke([(754, 956), (800, 976), (748, 1026)], "#cfc7b3", 15)
    c.stroke([(620, 1010), (668, 990), (716, 1002)], "#d5b69c", 36)
    for x in (680, 715):
        c.stroke([(x, 915), (x + 26, 850), (x - 10, 780), (x + 14, 700)], "#faf6ea", 22, alpha=0.3, soft=9)
    return c


def portrait_red(seed: int) -> Canvas:
    """In the window, red: the same chair, from the front; she held still for once."""
    c = Canvas(seed, upright=True)
    c.wash([(0, "#8e8b7e"), (1, "#6f6a5e")], body=0.3)
    _panes(c, -60, -30, 330, 600, (2, 2), "#bfb8a6")
    c.shape(path("-20,200 330,60 900,640 900,1210 300,1210"), "#f4ead2", alpha=0.2, soft=40)
    for x in (560, 640, 720, 800):
        c.shape(box(x, 560, x + 22, 1000), "#5d4c3a", "#4b3d2f", rough=1.2)
    c.shape(
        curve(path("510,600 540,500 690,470 850,500 880,600 850,610 690,560 540,610")),
        "#6f5b45",
        "#54442f",
        rough=1.4,
    )
    c.shape(
        curve(path("140,1230 170,1010 270,900 440,850 620,890 720,1000 760,1230")),
        "#7c8286",
        "#4e545a",
        across=True,
        rough=2,
        body=0.35,
    )
    hair(
        c,
        path("430,300 290,360 250,540 262,720 226,930"),
        path("450,300 600,350 640,540 626,720 660,940"),
        dark(HAIR["red"], 0.16),
        strands=60,
        width=4,
        sun=0.1,
    )
    face(c, 440, 600, 200, -1, "#dfc4ac")
    c.shape(
        curve(path("310,870 360,820 440,850 520,820 574,874 520,930 440,948 360,930")),
        "#8b9194",
        "#5f666b",
        rough=1.5,
    )
    parted(c, 440, 600, 200, HAIR["red"], -1)
    for side in (-1, 1):
        c.stroke(
            [(440 + side * 300, 1200), (440 + side * 150, 1150), (440 + side * 20, 1164)],
            "#8d9396" if side < 0 else "#5f666b",
            90,
        )
    c.shape(
        curve(path("330,1150 400,1108 500,1110 560,1154 500,1200 390,1200")), "#d9bba1", "#b2917b", rough=1.2
    )
    for finger in range(4):
        c.stroke(
            [(420 + finger * 30, 1116), (414 + finger * 28, 1150), (420 + finger * 24, 1186)],
            "#a5836e",
            4,
            alpha=0.6,
        )
    return c


def portrait_orange(seed: int) -> Canvas:
    """Orange. Odd seeds: the bathroom mirror, a towel. Even ones: in the window, too quick for the film."""
    return _mirror(seed) if seed % 2 else _blurred(seed)


def _mirror(seed: int) -> Canvas:
    c = Canvas(seed, upright=True)
    c.wash([(0, "#c9cfc9"), (1, "#b1b8b3")], body=0.2)
    for row in range(13):
        for column in range(10):
            c.shape(
                box(column * 94 - 20, row * 94 - 10, column * 94 + 69, row * 94 + 79),
                mix("#cdd3cc", "#b9c2be", c.hand.random()),
                rough=0.7,
                body=0,
            )
    c.glow(450, 60, 380, "#fff6dc", 0.7)
    for x in (330, 450, 570):
        c.shape(oval(x, 66, 32, 32), "#fff5d6", rough=0.6)
    c.shape(box(196, 130, 704, 800), "#8b7a63", "#6f604c", rough=1.2)
    glass = box(220, 154, 680, 776)
    c.shape(glass, "#a8b1b0", "#8d9796", rough=0.8)
    c.shape(
        curve(path("250,800 280,700 380,650 530,650 630,700 660,800")),
        "#efe9da",
        "#cfc7b5",
        within=glass,
        rough=1.5,
    )
    face(c, 452, 470, 128, -1)
    parted(c, 452, 470, 128, HAIR["orange"], -1, long=1.75)
    c.shape(
        curve(path("320,690 420,664 520,672 600,700 560,770 360,770")), "#f1ecdf", "#d3cbb8", within=glass
    )
    c.shape(path("240,154 340,154 230,600 220,600"), "#f4f6f2", alpha=0.28, soft=6)
    c.shape([(600, 776), (680, 776), (680, 520)], "#f4f6f2", alpha=0.18, soft=6)
    c.shape(
        curve(path("90,960 450,930 810,960 770,1080 600,1190 300,1190 130,1080")),
        "#f0ede3",
        "#bdbcb2",
        rough=1.5,
    )
    c.shape(oval(450, 968, 300, 40), "#b9bdb8", "#d6d8d1", rough=1)
    c.shape(box(430, 860, 470, 950), "#9ba3a3", "#6d7677", across=True)
    c.stroke([(450, 870), (450, 836), (452, 900)], "#858e8f", 24)
    # The bowl that he holds, with the dye in it.
    c.shape(
        curve(path("560,1000 840,1000 816,1090 740,1130 660,1130 584,1090")), "#8d9a9c", "#5f6c6f", rough=1.2
    )
    c.shape(oval(700, 1000, 140, 30), "#aab5b5", rough=0.8)
    c.shape(oval(700, 1003, 118, 22), HAIR["orange"], dark(HAIR["orange"], 0.3), rough=0.8)
    c.stroke([(720, 1000), (800, 930), (860, 880)], "#7d6a55", 17)
    c.stroke([(920, 1110), (850, 1072), (800, 1062)], "#d3b096", 62)
    for x, y, size in ((260, 950, 12), (300, 985, 7), (210, 1010, 8), (500, 905, 5)):
        c.shape(oval(x, y, size, size * 0.7), HAIR["orange"], rough=1.4, alpha=0.9)
    return c


def _blurred(seed: int) -> Canvas:
    c = Canvas(seed, upright=True)
    c.wash([(0, "#bdb3a0"), (1, "#8f8571")], body=0.25)
    _panes(c, 120, 40, 800, 900, (3, 3), "#d0c8b4")
    c.glow(460, 380, 520, "#fdf7e6", 0.65)
    for number, (shift, alpha) in enumerate(((-150, 0.28), (-86, 0.36), (-30, 0.5), (24, 0.85))):
        c.shape(
            curve(
                [
                    (260 + shift, 1230),
                    (270 + shift, 960),
                    (330 + shift, 820),
                    (450 + shift, 770),
                    (600 + shift, 830),
                    (660 + shift, 980),
                    (690 + shift, 1230),
                ]
            ),
            "#7e8688",
            "#5f676b",
            alpha=alpha,
            soft=5 + 3 * (3 - number),
            rough=2,
        )
        c.shape(
            oval(470 + shift, 590, 108, 144, tilt=0.1),
            "#dcc1a9",
            alpha=alpha,
            soft=5 + 2 * (3 - number),
            rough=0,
        )
        mass = path(
            "470,380 370,420 322,560 300,740 330,800 384,640 400,510 500,470 560,540 "
            "580,680 600,820 680,760 650,540 590,420"
        )
        c.shape(
            curve([(x + shift - (y - 380) * 0.06 * (3 - number), y) for x, y in mass]),
            HAIR["orange"],
            dark(HAIR["orange"], 0.15),
            alpha=min(1, alpha * 1.12),
            soft=4 + 2 * (3 - number),
            rough=2,
        )
    for number in range(70):
        y = c.hand.uniform(410, 830)
        x = c.hand.choice((350, 620)) + c.hand.uniform(-60, 60)
        c.stroke(
            [(x - 190, y + 14), (x - 70, y), (x + 50, y - 6)],
            glint(HAIR["orange"], 0.1 + 0.5 * (number % 3) / 3),
            7,
            alpha=0.2,
            soft=2,
        )
    c.shape(path("-10,1060 910,1020 910,1210 -10,1210"), "#6c5d4a", "#57493a", soft=4)
    return c


def portrait_blue(seed: int) -> Canvas:
    """Blue on the tiles: she leans over the tub and rinses; the water runs blue."""
    c = Canvas(seed, upright=True)
    for row in range(10):
        for column in range(8):
            c.shape(
                box(column * 124 - 30, row * 92 - 20, column * 124 + 90, row * 92 + 68),
                mix("#cfd0c6", "#b4bab4", c.hand.random()),
                rough=0.7,
                body=0.1,
            )
    c.glow(720, 120, 460, "#fbf3de", 0.6)
    c.wash([(0, "#9d9a90"), (1, "#7d7a72")], 1080, 1200, body=0.3)
    c.shape(
        curve(path("690,1230 700,900 640,700 560,560 620,430 760,420 860,520 940,700 940,1230")),
        "#8d8579",
        "#655f57",
        rough=2,
        body=0.35,
    )
    c.shape(
        curve(path("604,462 670,412 770,420 800,480 780,640 730,660 700,560 640,600")),
        "#e5d9c3",
        "#c4b79e",
        rough=1.4,
    )
    for stripe in (0, 22):
        c.stroke([(700, 616 - stripe), (742, 622 - stripe), (786, 608 - stripe)], "#8fa0a2", 9, alpha=0.8)
    c.shape(oval(500, 560, 104, 132, tilt=0.9), "#d9bba2", "#b6957e", rough=1)
    c.shape(
        curve(path("-60,900 100,880 700,890 780,930 760,980 700,1130 500,1180 -60,1190")),
        "#f1efe6",
        "#b9bab3",
        rough=1.5,
    )
    c.shape(curve(path("-60,930 200,912 600,920 690,946 560,972 -60,980")), "#a7b0b0", "#c7cdcb", rough=1)
    c.shape(curve(path("160,944 330,930 500,944 470,964 260,968")), HAIR["blue"], alpha=0.55, soft=5)
    hair(
        c,
        path("600,430 470,440 360,540 306,700 300,910"),
        path("640,520 580,600 520,680 474,790 452,920"),
        HAIR["blue"],
        strands=150,
        width=4.4,
        sun=0.5,
        ragged=22,
    )
    c.stroke([(770, 660), (610, 770), (520, 650)], "#d3b399", 64)
    c.stroke([(540, 690), (510, 650), (494, 610)], "#dfc2a9", 44)
    for _ in range(34):
        x, y = c.hand.uniform(40, 500), c.hand.uniform(180, 840)
        size = c.hand.uniform(3, 12)
        c.shape(oval(x, y, size, size), HAIR["blue"], alpha=0.85, rough=1)
        if size > 8:
            c.stroke([(x, y), (x + 1, y + 30), (x, y + c.hand.uniform(50, 120))], HAIR["blue"], 5, alpha=0.7)
    c.shape(path("60,600 120,600 128,880 52,880"), "#9d8f7c", "#776b5b", across=True, rough=1)
    c.shape(path("72,560 108,560 110,602 70,602"), "#5c5347")
    return c
