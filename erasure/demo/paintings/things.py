"""Objects on a table, photographed because they will be destroyed."""

from __future__ import annotations

import math

from erasure.demo.paintings.brush import Canvas, Color, Point, box, curve, dark, light, mix, oval, path
from erasure.demo.paintings.figures import HAIR, face, glint, parted


def _table(c: Canvas, wall: Color, table: Color, edge: float, lamp: tuple[float, float] = (360, 200)) -> None:
    """A wall, a table from `edge` downward, and a light."""
    c.wash([(0, dark(wall, 0.08)), (1, light(wall, 0.22))], 0, edge + 4, body=0.25)
    c.wash([(0, light(table, 0.14)), (1, dark(table, 0.16))], edge, c.height, body=0.4)
    c.shape(box(-10, edge - 10, c.width + 10, edge + 14), dark(table, 0.25), alpha=0.35, soft=9)
    c.glow(*lamp, 620, "#fff7e2", 0.5)


def _shadow(c: Canvas, x: float, y: float, across: float, down: float, strength: float = 0.5) -> None:
    c.shape(
        oval(x + across * 0.25, y, across * 1.15, down), "#3d372f", alpha=strength * 0.6, soft=22, rough=0
    )
    c.shape(oval(x, y, across, down * 0.6), "#2c2823", alpha=strength, soft=8, rough=0)


def mug(seed: int) -> Canvas:
    """The mug with her annoyed face on it."""
    c = Canvas(seed)
    _table(c, "#aab1ae", "#a08a6e", 610)
    _shadow(c, 620, 752, 230, 44)
    c.stroke(path("770,400 930,400 958,520 900,630 760,640"), "#d5cfbf", 46)
    c.stroke([(770, 394), (926, 394), (946, 500)], "#f1ecdf", 15, alpha=0.8)
    body = path(
        "400,330 406,540 416,680 430,722 470,752 540,764 660,764 730,752 770,722 784,680 794,540 800,330"
    )
    c.shape(body, "#f3eee2", "#b9b1a0", across=True, rough=1)
    c.shape(oval(600, 330, 200, 42), "#e3dccb", "#f8f4ea", rough=0.8)
    c.shape(oval(600, 335, 182, 33), "#b8ae9b", "#d9d1c0", rough=0.8)
    c.shape(oval(600, 347, 166, 20), "#6b5140", "#4d3a2d", rough=0.8)
    c.shape(path("452,352 474,372 488,354 470,348"), "#8f816c", rough=1)
    # Printed: a square photograph, her, not amused.
    pic = path("470,426 600,436 730,426 724,560 718,704 600,712 484,704 476,560")
    c.shape(pic, "#a9b3b2", "#8e9897", across=True, rough=1)
    c.shape(curve(path("496,720 516,664 560,640 640,640 690,664 712,720")), "#8b7b6c", "#6c5f54", within=pic)
    face(c, 602, 560, 66, -1)
    parted(c, 602, 560, 66, HAIR["green"], -1, long=1.72, strands=44)
    for side in (-1, 1):
        c.stroke(
            [(602 + side * 8, 558), (602 + side * 22, 551), (602 + side * 36, 549)], "#5c463a", 5, alpha=0.9
        )
    c.shape(path("430,360 452,364 462,720 446,700"), "#ffffff", alpha=0.5, soft=7)
    for x in (540, 610, 660):
        c.stroke([(x, 320), (x + 30, 250), (x - 20, 170), (x + 16, 80)], "#fbf8ee", 28, alpha=0.3, soft=10)
    return c


def potatoes(seed: int) -> Canvas:
    """The potato people: clothes, and a marriage."""
    c = Canvas(seed)
    _table(c, "#b8a58b", "#86715a", 560, (800, 160))
    c.shape(box(-10, 690, 1210, 910), "#c9bda5", "#a3967d", rough=2)
    for x in range(-20, 1240, 60):
        c.shape(box(x, 690, x + 26, 910), "#9a7d6d", alpha=0.35, rough=1)
    for y in (730, 800, 870):
        c.shape(box(-10, y, 1210, y + 24), "#9a7d6d", alpha=0.35, rough=1)
    for x, size, lean in ((430, 1.0, -0.06), (760, 0.9, 0.1)):

        def at(a: float, b: float, x: float = x, size: float = size, lean: float = lean) -> Point:
            return (x + (a - b * lean) * size, 760 + b * size)

        _shadow(c, x, 766, 150 * size, 30)
        body = curve(
            path("-120,-40 -150,-190 -128,-340 -60,-440 30,-456 104,-390 128,-260 150,-130 112,-20 0,4", at)
        )
        c.shape(body, "#d6b486", "#8f6d48", across=True, rough=1.6, body=0.4)
        c.shape(
            curve(path("-110,-330 -50,-420 20,-436 -20,-330 -80,-240", at)), "#f0d8ae", alpha=0.45, soft=22
        )
        for _ in range(30):
            a, b = c.hand.uniform(-110, 110), c.hand.uniform(-400, -60)
            c.shape(oval(*at(a, b), 4, 2.4), "#7d5d3e", alpha=0.6, rough=0.4)
        for side in (-1, 1):
            c.shape(oval(*at(side * 38 + 4, -300), 9, 12), "#2e2721", rough=0.6)
            c.shape(oval(*at(side * 38 + 7, -305), 3, 3), "#f3ead8", rough=0)
        if x < 600:
            c.shape(
                curve(path("-130,-128 -60,-160 0,-150 80,-164 146,-130 140,-20 0,8 -118,-24", at)),
                "#4f5a63",
                "#363e46",
                rough=1.5,
            )
            c.shape(path("-46,-160 0,-140 50,-164 4,-90", at), "#efe8d8", rough=1)
            c.shape(path("-12,-146 14,-146 20,-40 2,-16 -16,-40", at), "#8f5f50", "#6f473c", rough=1)
            c.shape(curve(path("-86,-400 -84,-452 0,-470 84,-446 84,-396 0,-420", at)), "#4b4540", rough=1.2)
            c.shape(path("-58,-446 -52,-540 54,-540 58,-446", at), "#4b4540", "#332f2c", rough=1.2)
            c.shape(path("-57,-462 -55,-488 55,-488 57,-462", at), "#8f7f66", rough=0.8)
            c.stroke([at(-26, -232), at(2, -222), at(34, -236)], "#69452f", 7)
            c.stroke([at(-34, -254), at(2, -246), at(38, -256)], "#4a3d33", 15)
        else:
            dress = path("-128,-150 0,-176 134,-150 196,-10 100,14 0,4 -100,14 -190,-10", at)
            c.shape(curve(dress), "#c6b3a0", "#97836f", rough=1.5)
            for _ in range(26):
                c.shape(
                    oval(*at(c.hand.uniform(-140, 140), c.hand.uniform(-130, -10)), 7, 7),
                    "#efe6d4",
                    rough=0.8,
                )
            wool = HAIR["green"]
            for strand in range(46):
                a = -130 + strand * 5.8
                sag = abs(a) / 130
                c.stroke(
                    [
                        at(a * 0.3, -470),
                        at(a, -420 + sag * 50),
                        at(a * 1.14 + c.hand.uniform(-10, 10), -280 + sag * 60),
                    ],
                    glint(wool, c.hand.random() * 0.3) if strand % 2 else dark(wool, c.hand.random() * 0.3),
                    9,
                )
            c.shape(
                curve(path("-100,-400 -60,-462 20,-478 90,-440 112,-400 30,-430 -40,-426", at)),
                wool,
                dark(wool, 0.1),
                rough=2,
            )
            for side in (-1, 1):
                c.shape(oval(*at(side * 38 + 4, -300), 9, 12), "#2e2721", rough=0.6)
            c.stroke([at(-20, -236), at(6, -226), at(30, -240)], "#a35d50", 10)
    c.stroke([(566, 640), (600, 624), (636, 636)], "#7d5d3e", 13)
    return c


def snow_globe(seed: int) -> Canvas:
    """The snow globe: a house on a beach; it leaks a little."""
    c = Canvas(seed)
    _table(c, "#8d99a0", "#6f6a63", 640, (460, 240))
    c.shape(box(820, -10, 1210, 640), "#69757d", "#7f8a90", rough=1)
    for number in range(7):
        x = 850 + number * 52
        c.shape(
            curve([(x, -10), (x + 20, 300), (x + 4, 640), (x + 26, 640), (x + 40, 300), (x + 26, -10)]),
            "#9aa5aa",
            alpha=0.45,
            soft=4,
        )
    _shadow(c, 600, 800, 270, 44, 0.6)
    c.shape(curve(path("610,822 760,808 900,826 860,846 700,850")), "#c9d3d6", alpha=0.55, soft=3)
    ball = oval(600, 430, 282, 282)
    c.shape(ball, "#6f8494", "#c3cbc8", rough=0.6)
    c.shape(
        curve(path("300,500 450,486 600,492 760,484 900,500 900,560 300,560")),
        "#7d929a",
        "#a5b1b0",
        within=ball,
    )
    c.shape(
        curve(path("280,590 420,552 560,540 720,560 920,540 900,760 300,760")),
        "#eeeeea",
        "#b7c0c8",
        within=ball,
        rough=1.5,
    )
    x, y = 520, 566
    c.shape(box(x, y - 84, x + 120, y), "#8a8580", "#706b67", rough=0.8)
    c.shape(
        [(x + 118, y), (x + 118, y - 84), (x + 158, y - 142), (x + 200, y - 84), (x + 200, y)],
        "#9d9892",
        rough=0.8,
    )
    c.shape(
        [(x - 12, y - 82), (x + 30, y - 146), (x + 160, y - 146), (x + 122, y - 82)],
        "#eceeee",
        "#cdd3d7",
        rough=1,
    )
    c.line([(x + 112, y - 78), (x + 158, y - 146), (x + 208, y - 80)], "#f4f4f0", 6)
    for a in (22, 72, 146):
        c.glow(x + a + 13, y - 44, 46, "#f3cf8e", 0.8)
        c.shape(box(x + a, y - 60, x + a + 26, y - 26), "#f5d9a0", rough=0.6)
        c.line([(x + a + 13, y - 60), (x + a + 13, y - 26)], "#8f7f68", 2.4)
    for a, tall in ((410, 110), (772, 130), (446, 70)):
        for tier in range(4):
            wide = 34 - tier * 7
            top = 590 - tall * (tier + 1.6) / 5
            c.shape(
                [(a - wide, top + tall * 0.34), (a, top - 6), (a + wide, top + tall * 0.34)],
                "#5e6f69",
                "#4a5956",
                rough=1,
            )
            c.stroke(
                [(a - wide * 0.7, top + tall * 0.26), (a - 3, top), (a + wide * 0.3, top + tall * 0.16)],
                "#eef0ee",
                5,
                alpha=0.9,
            )
    for _ in range(120):
        turn, far = c.hand.uniform(0, 2 * math.pi), 262 * math.sqrt(c.hand.random())
        size = c.hand.uniform(1.4, 4.6)
        c.shape(
            oval(600 + far * math.cos(turn), 430 + far * math.sin(turn), size, size),
            "#fbfbf8",
            alpha=0.9,
            rough=0,
            body=0,
        )
    c.stroke(path("372,480 372,340 450,222 560,184"), "#ffffff", 24, alpha=0.6, soft=3)
    c.stroke([(800, 590), (846, 500), (846, 400)], "#ffffff", 12, alpha=0.4, soft=3)
    for inner in range(4):
        c.line(
            [*oval(600, 430, 281 - inner, 281 - inner), (881 - inner, 430)],
            mix("#e9eff0", "#7d8d96", inner / 3),
            2,
        )
    c.shape(
        curve(path("410,650 600,690 790,650 836,760 840,800 600,838 360,800 366,760")),
        "#6b5443",
        "#3f3128",
        rough=1.4,
    )
    c.stroke([(392, 716), (600, 752), (808, 716)], "#a08468", 8, alpha=0.7)
    c.shape(oval(600, 778, 66, 16), "#b49a6c", "#8a744e", rough=1)
    return c


def necklace(seed: int) -> Canvas:
    """The necklace, in its box, bought too late."""
    c = Canvas(seed)
    _table(c, "#938a84", "#7b6a5c", 330, (300, 120))
    _shadow(c, 600, 800, 380, 60, 0.6)
    c.shape(path("250,450 300,120 900,120 950,450"), "#4d4743", "#3b3634", rough=1.4)
    c.shape(path("296,434 338,156 862,156 904,434"), "#d9d0c4", "#bcb1a4", rough=1.4, body=0.3)
    for number in range(7):
        c.stroke(
            [(350 + number * 84, 164), (340 + number * 86, 290), (330 + number * 90, 430)],
            "#f0e9de",
            15,
            alpha=0.35,
            soft=4,
        )
    for _ in range(2):
        for number in range(9):
            x = 500.0 + number * 22
            c.stroke([(x, 240), (x + 8, 224), (x + 18, 238)], "#a8997f", 4, alpha=0.8)
    c.shape(path("250,450 950,450 990,800 210,800"), "#3e3936", "#2e2a28", rough=1.4)
    c.shape(path("290,482 910,482 936,740 264,740"), "#3f4a55", "#2c3540", rough=1.4, body=0.5)
    c.shape(path("290,482 910,482 900,520 300,520"), "#171c22", alpha=0.6, soft=8)
    chain = curve(path("420,500 440,590 520,664 600,682 690,660 764,590 786,500"), closed=False, steps=14)
    for number, (x, y) in enumerate(chain[::2]):
        c.shape(oval(x + 3, y + 6, 6, 4), "#12161b", alpha=0.7, rough=0)
        c.shape(oval(x, y, 6.4, 4.4, tilt=number), "#d8c28e" if number % 2 else "#a98f5c", rough=0.3)
    c.shape(oval(606, 706, 34, 26), "#10141a", alpha=0.6, soft=6)
    c.shape(curve(path("600,678 634,700 630,738 600,762 570,738 566,700")), "#c6ae78", "#927a4a", rough=0.8)
    c.shape(oval(600, 721, 22, 28), "#7f9290", "#4f6264", rough=0.6)
    c.shape(oval(592, 710, 8, 10), "#dfe8e4", alpha=0.9, rough=0)
    c.glow(592, 710, 46, "#f7f3e2", 0.6)
    c.shape(path("970,690 1130,660 1160,760 1000,796"), "#e9e2d1", "#cfc6b2", rough=1.4)
    for row in range(3):
        c.line([(996 + row * 6, 704 + row * 24), (1110 + row * 6, 682 + row * 24)], "#8d8577", 3)
    c.stroke(path("40,700 150,660 240,720 130,800 60,760"), "#a58c80", 17, alpha=0.9)
    return c


def cassette(seed: int) -> Canvas:
    """Side B: she recorded over my mother."""
    c = Canvas(seed)
    c.wash([(0, "#3f434a"), (1, "#2b2e33")], body=0.35)
    c.shape(box(-10, -10, 1210, 190), "#565b62", "#3d4147", rough=1.5)
    for slot in range(60, 1200, 44):
        c.shape(box(slot, 40, slot + 20, 140), "#24272b", rough=0.8)
    c.glow(430, 300, 560, "#e9e2cf", 0.35)
    lean = c.about(-0.1, 0.01)
    cos, sin = math.cos(lean), math.sin(lean)

    def at(a: float, b: float) -> Point:
        return (600 + a * cos - b * sin, 520 + a * sin + b * cos)

    def flat(a: float, b: float, u: float, v: float) -> list[Point]:
        return [at(a, b), at(u, b), at(u, v), at(a, v)]

    c.shape([(x + 16, y + 26) for x, y in flat(-372, -236, 372, 236)], "#0e1013", alpha=0.7, soft=18)
    body = [
        at(a + 18 * math.cos(turn * 0.26 + k * math.pi / 2), b + 18 * math.sin(turn * 0.26 + k * math.pi / 2))
        for k, (a, b) in enumerate(((354, 218), (-354, 218), (-354, -218), (354, -218)))
        for turn in range(7)
    ]
    c.shape(body, "#d9d3c4", "#b5ae9d", rough=0.8)
    c.shape(flat(-330, -206, 330, 130), "#f3ecda", "#e2d8c0", rough=1)
    c.shape(flat(-330, -70, 330, -44), "#a8836e", rough=1)
    c.shape(flat(-330, -40, 330, -26), "#b9a58a", rough=1)
    for row in (-176, -138, -104):
        c.line([at(-250, row + 12), at(300, row + 12)], "#b8ae99", 2)
    c.shape(flat(-316, -190, -270, -140), "#3c4046", rough=1)
    for stem in (
        [at(-302, -178), at(-300, -152)],
        path("-302,-178 -282,-176 -286,-166 -301,-165 -280,-160 -286,-152 -300,-152", at),
    ):
        c.line(stem, "#f3ecda", 4)
    c.shape(flat(-250, 0, 250, 100), "#43464a", "#2f3235", rough=1)
    c.shape(flat(-92, 12, 92, 88), "#6f5c4e", "#4a3c34", rough=1)
    for side, reel in ((-168, 72), (168, 44)):
        c.shape(
            oval(*at(side, 50), reel + 6, reel * 0.62 + 10),
            "#54453b",
            rough=0.8,
            within=flat(-250, 0, 250, 100),
        )
        c.shape(oval(*at(side, 50), 38, 38), "#ece6d6", "#c6bfae", rough=0.6)
        c.shape(oval(*at(side, 50), 25, 25), "#26282b", rough=0.6)
        for tooth in range(6):
            a = tooth * math.pi / 3 + 0.3
            x, y = at(side, 50)
            c.line(
                [(x + 26 * math.cos(a), y + 26 * math.sin(a)), (x + 15 * math.cos(a), y + 15 * math.sin(a))],
                "#ece6d6",
                7,
            )
    c.shape(path("-250,236 -226,150 226,150 250,236", at), "#c4bdac", "#a69e8c", rough=1)
    for a in (-160, -80, 80, 160):
        c.shape(oval(*at(a, 204), 11, 11), "#3a3c3f", rough=0.5)
    for a, b in ((-348, -212), (348, -212), (-348, 212), (348, 212)):
        c.shape(oval(*at(a, b), 8, 8), "#8b8576", rough=0.4)
        c.line([at(a - 5, b - 4), at(a + 5, b + 4)], "#57534a", 2.4)
    loop = [
        at(60, 232),
        (700, 800),
        (820, 840),
        (900, 770),
        (820, 730),
        (760, 810),
        (880, 880),
        (1040, 820),
        (1130, 880),
        (1230, 840),
    ]
    c.line([(x + 4, y + 8) for x, y in curve(loop, closed=False)], "#15171a", 7)
    c.line(curve(loop, closed=False), "#6d5445", 7)
    c.line([(x, y - 2) for x, y in curve(loop, closed=False)], "#a98d77", 1.6)
    c.stroke([at(-320, -222), at(0, -226), at(330, -222)], "#ffffff", 6, alpha=0.5)
    return c


def tickets(seed: int) -> Canvas:
    """The stub: Montauk, one way, punched twice."""
    c = Canvas(seed)
    c.wash([(0, "#8c7a66"), (1, "#6c5b4b")], body=0.5)
    for y in (170, 390, 640, 830):
        c.stroke([(-20, y), (500, y + 8), (1220, y - 4)], "#503f31", 6, alpha=0.7)
    c.glow(330, 230, 700, "#fdf1d8", 0.45)

    def ticket(
        x: float, y: float, turn: float, wide: float, tall: float, tone: Color, band: Color, torn: bool
    ) -> None:
        cos, sin = math.cos(turn), math.sin(turn)

        def at(a: float, b: float) -> Point:
            return (x + a * cos - b * sin, y + a * sin + b * cos)

        right = [(wide, -tall + i * tall / 8) for i in range(17)]
        edge = [at(a + (c.hand.uniform(-12, 6) if torn else 0), b) for a, b in right]
        outline = [at(-wide, -tall), *edge, at(-wide, tall)]
        c.shape([(a + 12, b + 18) for a, b in outline], "#33291f", alpha=0.6, soft=12)
        c.shape(outline, light(tone, 0.3), dark(tone, 0.08), rough=1)
        c.shape(
            [at(-wide, -tall), at(wide - 14, -tall), at(wide - 14, -tall * 0.62), at(-wide, -tall * 0.62)],
            band,
            rough=1,
        )
        for row, long in ((-0.3, 1.0), (0.0, 0.7), (0.3, 0.86)):
            step, a = wide * 0.085, -wide * 0.86
            while a < -wide + wide * 1.5 * long:
                word = step * c.hand.uniform(0.7, 2.2)
                size = tall * (0.1 if row < -0.2 else 0.055)
                c.shape(
                    [
                        at(a, tall * row - size),
                        at(a + word, tall * row - size),
                        at(a + word, tall * row + size),
                        at(a, tall * row + size),
                    ],
                    "#454b50",
                    alpha=0.85,
                    rough=1.2,
                )
                a += word + step * 0.5
        c.line([at(-wide * 0.88, tall * 0.6), at(wide * 0.3, tall * 0.6)], "#5f6468", 3)
        for stroke in range(24):
            a = -wide * 0.88 + stroke * wide * 0.03
            c.line([at(a, tall * 0.7), at(a, tall * 0.9)], "#3a4045", c.hand.choice((2.0, 3.0, 6.0)))
        for a in range(14):
            c.shape(oval(*at(wide * 0.56, -tall * 0.9 + a * tall * 0.138), 4, 4), dark(tone, 0.3), rough=0.3)
        for a, b in ((0.76, -0.2), (0.3, 0.34)):
            c.shape(oval(*at(wide * a, tall * b), 17, 17), "#5d4c3d", "#776350", rough=0.6)

    ticket(720, 320, 0.16, 360, 150, "#b9bcb2", "#7d8b8a", torn=False)
    ticket(520, 560, -0.13, 390, 170, "#d8c49c", "#98735c", torn=True)
    for x, y, size in ((1010, 720, 44), (1090, 650, 34)):
        c.shape(oval(x + 6, y + 10, size, size), "#33291f", alpha=0.6, soft=7)
        c.shape(oval(x, y, size, size), "#bfb9ac", "#827c70", rough=0.6)
        c.shape(oval(x, y, size * 0.82, size * 0.82), "#a39d90", "#b8b2a4", rough=0.4)
        c.shape(
            curve(
                [
                    (x - 8, y + size * 0.5),
                    (x - size * 0.4, y),
                    (x - 4, y - size * 0.5),
                    (x + size * 0.3, y - size * 0.1),
                    (x + 8, y + size * 0.5),
                ]
            ),
            "#8a8477",
            rough=0.6,
        )
    # One glove, far too small.
    glove = path("1010,60 1040,150 1030,220 1070,190 1096,204 1070,280 1070,340 1190,380 1230,280 1230,40")
    c.shape([(x + 10, y + 16) for x, y in curve(glove)], "#33291f", alpha=0.6, soft=12)
    c.shape(curve(glove), "#74826a", "#56634f", rough=2, body=0.5)
    for row in range(6):
        c.stroke(
            [(1076, 330 - row * 5), (1130, 350 - row * 8), (1186, 366 - row * 10)], "#8b987f", 4, alpha=0.7
        )
    return c


def dahlia(seed: int) -> Canvas:
    """The dahlia: it lasted three weeks."""
    c = Canvas(seed)
    c.wash([(0, "#33403f"), (0.6, "#4b5551"), (1, "#262f2e")], body=0.3)
    c.glow(300, 260, 560, "#9ea592", 0.4)
    for _ in range(12):
        x, y = c.hand.uniform(-60, 1260), c.hand.uniform(-20, 940)
        turn = c.hand.uniform(0, 6.3)
        long = c.hand.uniform(90, 200)
        tip = (x + math.cos(turn) * long, y + math.sin(turn) * long)
        mid = ((x + tip[0]) / 2, (y + tip[1]) / 2 - 24)
        c.stroke([(x, y), mid, tip], c.hand.choice(("#4f5f55", "#3d4b45", "#5f6c5e")), 90, alpha=0.8, soft=3)
    c.blurred(6)
    c.stroke([(640, 520), (690, 720), (670, 930)], "#5a6a55", 32)
    for side in (-1, 1):
        leaf = [(680, 800), (680 + side * 120, 740), (680 + side * 270, 760), (680 + side * 160, 850)]
        c.shape(curve(leaf), "#66765d", "#475443", rough=2, body=0.4)
        c.stroke([(684, 802), (680 + side * 140, 780), (680 + side * 260, 762)], "#8a9880", 5, alpha=0.8)
    x, y = 610.0, 430.0
    for ring in range(9):
        far = 345.0 - ring * 37
        petals = 21 - ring
        for number in range(petals):
            turn = 2 * math.pi * (number + ring % 2 * 0.5) / petals + c.hand.uniform(-0.05, 0.05)
            long, wide = far * c.hand.uniform(0.93, 1.05), math.pi * far / petals * 1.05
            tone = mix(mix("#b98a68", "#e3bf98", ring / 8), "#8f5f48", c.hand.uniform(0, 0.22))
            cos, sin = math.cos(turn), math.sin(turn)

            def at(a: float, b: float, cos: float = cos, sin: float = sin) -> Point:
                return (x + a * cos - b * sin, y + (a * sin + b * cos) * 0.96)

            petal = [
                at(long * 0.3, -wide * 0.3),
                at(long * 0.72, -wide * 0.62),
                at(long, 0),
                at(long * 0.72, wide * 0.62),
                at(long * 0.3, wide * 0.3),
            ]
            c.shape([(a + 4, b + 8) for a, b in curve(petal, steps=4)], "#4c3026", alpha=0.3, soft=5, rough=0)
            c.shape(curve(petal, steps=4), light(tone, 0.22), dark(tone, 0.12), rough=0.8, body=0.2)
            c.stroke(
                [at(long * 0.4, 0), at(long * 0.7, 0), at(long * 0.94, 0)], dark(tone, 0.28), 4, alpha=0.5
            )
    c.glow(x, y, 74, "#7d4f3b", 0.7)
    for _ in range(26):
        turn, far = c.hand.uniform(0, 6.3), c.hand.uniform(0, 30)
        c.shape(
            oval(x + far * math.cos(turn), y + far * math.sin(turn), 7, 5, tilt=turn),
            c.hand.choice(("#c99a74", "#a97858", "#e0b98f")),
            rough=0.5,
        )
    c.glow(480, 290, 260, "#fff3da", 0.28)
    return c
