"""Indoors: kitchens, the couch, a restaurant."""

from __future__ import annotations

from erasure.demo.paintings.brush import Canvas, box, curve, dark, light, mix, oval, path
from erasure.demo.paintings.figures import HAIR, glint, hair


def couch(seed: int) -> Canvas:
    """A Sunday: four feet at one end of the blanket, her hair at the other."""
    c = Canvas(seed)
    c.wash([(0, "#b7b5a6"), (1, "#a39d8c")], 0, 720, body=0.25)
    c.shape(box(120, 40, 520, 380), "#e8e6db", "#c6cdcd", rough=1)
    c.shape(
        path(
            "120,380 120,300 190,300 190,262 250,236 310,262 310,310 400,310 400,250 "
            "470,250 470,290 520,290 520,380"
        ),
        "#a5aca8",
        "#b9bdb6",
        within=box(120, 40, 520, 380),
    )
    for line in ([(320, 40), (320, 380)], [(120, 205), (520, 205)]):
        c.line(line, "#8f8a7b", 8)
    for edge in (104, 508):
        c.shape(box(edge, 30, edge + 22, 396), "#8f8a7b")
    c.shape(box(90, 384, 550, 404), "#99937f")
    c.shape(path("120,404 560,404 900,900 300,900"), "#f5ecd4", alpha=0.16, soft=22)
    c.shape(box(780, 110, 1010, 290), "#6f6656", rough=1)
    c.shape(box(796, 126, 994, 274), "#d8d0ba", "#b8b3a2")
    c.shape(curve(path("800,274 860,210 920,240 990,190 994,274")), "#8b948d", within=box(796, 126, 994, 274))
    c.wash([(0, "#8b7357"), (1, "#5d4b38")], 760, 900, body=0.4)
    sofa = "#66726a"
    c.shape(
        curve(path("60,700 66,470 120,400 600,388 1090,400 1144,470 1150,700")),
        light(sofa, 0.1),
        dark(sofa, 0.15),
        rough=2,
    )
    c.shape(box(110, 580, 1100, 800), dark(sofa, 0.1), dark(sofa, 0.3), rough=2)
    for x in (420, 760):
        c.stroke([(x, 420), (x + 4, 500), (x, 590)], dark(sofa, 0.4), 5, alpha=0.6)
    c.shape(curve(path("720,560 700,450 800,420 900,450 900,560 800,590")), "#b9a98d", "#94866c", rough=1.5)
    # Her, lying: shoulder, head on the pillow, hair over the edge.
    c.shape(curve(path("770,590 790,500 880,478 970,510 1010,590")), "#9c948a", "#7d766e", rough=1.2)
    hair(
        c,
        path("842,420 900,440 960,520 990,620 980,720"),
        path("930,400 1010,430 1060,530 1070,630 1060,740"),
        HAIR["green"],
        strands=80,
        width=3,
        sun=0.4,
    )
    c.shape(oval(880, 470, 55, 64, tilt=0.6), "#e0c5ad", "#c8a68d", rough=0.8)
    c.shape(
        curve(path("838,452 838,414 890,392 944,412 958,470 940,520 926,470 890,434")),
        dark(HAIR["green"], 0.1),
        dark(HAIR["green"], 0.2),
        rough=1,
    )
    for lock in range(7):
        c.stroke(
            [
                (842 + lock * 9, 430 - lock * 3),
                (884 + lock * 9, 414 + lock * 4),
                (934 + lock * 3, 448 + lock * 12),
            ],
            glint(HAIR["green"], 0.05 + 0.05 * lock),
            6,
            alpha=0.7,
        )
    c.shape(oval(866, 500, 14, 10), "#c9826e", alpha=0.35, soft=5, rough=0)
    c.stroke([(862, 478), (872, 488), (886, 490)], "#54433b", 4, alpha=0.85)
    c.stroke([(896, 466), (906, 474), (918, 474)], "#54433b", 4, alpha=0.85)
    c.stroke([(868, 514), (880, 518), (892, 512)], "#96584d", 5, alpha=0.75)
    blanket = path(
        "190,610 260,520 420,540 600,500 760,530 830,580 840,690 820,850 600,838 400,860 240,838 180,730"
    )
    c.shape(curve(blanket), "#b98a63", "#8d6547", rough=2, body=0.35)
    for number in range(9):
        x = 230 + number * 70
        c.stroke(
            [(x, 560 + number % 2 * 10), (x + 16, 690), (x - 6, 842)],
            "#d9b78d" if number % 2 else "#7c563d",
            16,
            alpha=0.55,
        )
    for y in (610, 690, 775):
        c.stroke([(192, y), (500, y - 22), (836, y)], "#e6cda6", 13, alpha=0.5)
    for number in range(30):
        x = 240 + number * 19
        c.line([(x, 848), (c.about(x, 4), 872)], "#c19b74", 2.5)
    for x, y, tilt, tone in (
        (214, 576, -0.5, "#d9d2c2"),
        (258, 548, -0.2, "#d9d2c2"),
        (160, 640, -0.7, "#4f5861"),
        (196, 616, -0.45, "#4f5861"),
    ):
        c.shape(oval(x, y, 25, 50, tilt=tilt), light(tone, 0.1), dark(tone, 0.2), rough=1)
        c.stroke([(x - 14, y + 16), (x, y + 22), (x + 14, y + 18)], dark(tone, 0.2), 5, alpha=0.6)
    for x in (36, 1078):
        c.shape(
            curve([(x, 800), (x - 4, 560), (x + 40, 510), (x + 86, 560), (x + 84, 800)]),
            light(sofa, 0.14),
            dark(sofa, 0.25),
            rough=1.5,
        )
    return c


def kitchen_red(seed: int) -> Canvas:
    """Pasta at midnight: every light on, steam on the lens."""
    c = Canvas(seed)
    c.wash([(0, "#d3b98a"), (1, "#e3cda0")], 0, 620, body=0.2)
    tile = "#e5d9bd"
    for row in range(4):
        for column in range(16):
            c.shape(
                box(column * 76 + row % 2 * 2, 372 + row * 58, column * 76 + 72, 426 + row * 58),
                mix(tile, "#cdbb95", c.hand.random() * 0.6),
                rough=0.8,
                body=0,
            )
    c.shape(box(40, 30, 420, 330), "#8f8a6e", "#7c775e", rough=1.2)
    c.line([(230, 36), (230, 326)], "#66624d", 4)
    for x in (212.0, 248):
        c.shape(oval(x, 270, 7, 7), "#d6c9a0")
    c.shape(box(860, 60, 1120, 340), "#2b3747", "#38475a", rough=1.2)
    c.specks(40, "#dfe3e0", (875, 70, 1110, 330), (1, 2.6), alpha=0.8)
    for line in ([(990, 60), (990, 340)], [(860, 200), (1120, 200)]):
        c.line(line, "#a8966b", 8)
    c.shape(box(846, 48, 1134, 64), "#b7a478")
    c.shape(box(846, 336, 1134, 356), "#b7a478")
    c.shape(path("650,0 658,0 658,100 650,100"), "#5d5138")
    c.glow(654, 160, 420, "#fff0c2", 0.75)
    c.shape(path("600,160 630,96 680,96 710,160"), "#8e9a8b", "#707c6e")
    c.shape(oval(654, 162, 50, 12), "#fff6d8", rough=0)
    c.shape(box(-10, 600, 1210, 640), "#a88c62", "#8b7350", rough=1.4)
    c.shape(box(-10, 640, 1210, 910), "#75684e", "#544a38", rough=1.2)
    c.shape(box(150, 600, 560, 910), "#d5cfbf", "#aaa494", rough=1.2)
    c.shape(box(190, 700, 520, 880), "#7f7a6d", "#5b574e", rough=1)
    for number in range(4):
        c.shape(oval(210 + number * 96, 662, 17, 17), "#59564e")
    c.shape(box(190, 592, 530, 606), "#3b3a37")
    c.shape(path("228,470 400,470 392,594 236,594"), "#7f8b8e", "#525c60", across=True, rough=1)
    c.shape(oval(314, 470, 86, 16), "#c9c3ac")
    for ear in (218, 400):
        c.stroke([(ear, 500), (ear + 6, 512), (ear, 524)], "#3f474b", 12)
    for number in range(9):
        x = 262 + number * 13
        c.stroke([(x, 470), (c.about(x, 10), 440), (c.about(x, 26), 424)], "#e6cf98", 5)
    # The radio.
    c.shape(box(980, 500, 1150, 602), "#7a5e48", "#5b4535", rough=1.2)
    c.shape(oval(1030, 552, 36, 36), "#c0aa83", "#93805f")
    c.shape(box(1080, 520, 1136, 544), "#e5d7ac")
    c.line([(1120, 500), (1180, 380)], "#4e473c", 3)
    # She stirs, from behind.
    c.shape(
        curve(path("560,910 570,700 600,560 680,510 800,512 880,570 900,720 910,910")),
        "#9aa19b",
        "#717a77",
        rough=1.5,
    )
    c.stroke([(610, 570), (480, 600), (410, 480)], "#8d958f", 62)
    c.stroke([(440, 520), (410, 484), (392, 458)], "#dbbda4", 32)
    c.stroke([(396, 470), (360, 420), (330, 480)], "#9b7a52", 9)
    c.stroke([(640, 760), (740, 780), (870, 756)], "#d9cfb9", 20, alpha=0.9)
    c.stroke([(742, 770), (720, 850), (700, 900)], "#d9cfb9", 18, alpha=0.9)
    hair(
        c,
        path("730,270 650,300 616,400 620,520 606,650"),
        path("744,268 826,300 858,400 850,520 876,650"),
        HAIR["red"],
        strands=110,
        width=3.6,
        sun=0.55,
    )
    for _ in range(11):
        x = c.hand.uniform(250, 400)
        c.stroke(
            [
                (x, 440),
                (x + c.hand.uniform(-50, 50), 300),
                (x + c.hand.uniform(-90, 130), c.hand.uniform(60, 180)),
            ],
            "#fbf5e6",
            c.hand.uniform(30, 70),
            alpha=0.22,
            soft=14,
        )
    c.clouds("#fdf6e4", 0, 640, alpha=0.4, amount=0.5, flat=1)
    c.glow(330, 300, 330, "#fdf6e4", 0.45)
    return c


def restaurant(seed: int) -> Canvas:
    """Dinner, not talking: two lamps over a table, and what lies between."""
    c = Canvas(seed)
    c.wash([(0, "#2c2525"), (0.6, "#4d3b36"), (1, "#382c2a")], body=0.25)
    for number in range(6):
        left = 20 + number * 200
        c.shape(box(left, 60, left + 164, 520), "#3d2f2d", "#4d3b37", rough=1.2)
        for bar in range(4):
            c.line([(left + 20 + bar * 42, 64), (left + 20 + bar * 42, 516)], "#6b5146", 2.4)
        c.line([(left, 220), (left + 164, 220)], "#6b5146", 2.4)
        c.line([(left, 370), (left + 164, 370)], "#6b5146", 2.4)
    for x, y, size in ((300, 190, 84), (600, 140, 104), (900, 190, 84)):
        c.line([(x, -10), (x, y - size)], "#1c1817", 4)
        c.glow(x, y, size * 4, "#e3b07c", 0.6)
        c.shape(oval(x, y, size, size * 0.8), "#c08a72", "#a56d58", rough=1)
        for rib in (-0.66, -0.33, 0, 0.33, 0.66):
            c.stroke(
                [
                    (x + rib * size * 0.5, y - size * 0.78),
                    (x + rib * size * 1.1, y),
                    (x + rib * size * 0.5, y + size * 0.78),
                ],
                "#e5b994",
                5,
                alpha=0.55,
            )
        c.glow(x, y + 8, size * 0.7, "#fbe6bd", 0.75)
        for end in (y - size * 0.84, y + size * 0.72):
            c.shape(box(x - size * 0.34, end, x + size * 0.34, end + size * 0.12), "#3a2c28")
        for tassel in range(5):
            c.line(
                [(x - 8 + tassel * 4, y + size * 0.84), (x - 10 + tassel * 5, y + size * 1.25)],
                "#8f6553",
                2.4,
            )
    # Two people in profile, at the far ends of the table.
    c.shape(curve(path("70,920 80,690 150,590 270,590 340,690 360,920")), "#333438", "#232427", rough=1.5)
    c.shape(
        curve(
            path("200,400 270,404 296,450 300,486 316,512 300,522 298,556 262,570 246,610 190,600 180,480")
        ),
        "#6f594e",
        "#b8957c",
        across=True,
        rough=1,
    )
    c.shape(
        curve(path("290,418 260,372 190,366 146,412 146,500 186,560 206,510 222,452")),
        "#2c2423",
        "#211b1a",
        rough=1.5,
    )
    c.shape(
        curve(path("850,920 870,700 930,600 1040,596 1120,690 1140,920")), "#6b615c", "#47403d", rough=1.5
    )
    c.shape(
        curve(
            path("1010,410 940,414 914,456 908,488 894,512 908,524 912,556 944,572 960,616 1020,606 1030,480")
        ),
        "#d0ac90",
        "#8c7161",
        across=True,
        rough=1,
    )
    hair(
        c,
        path("940,380 914,420 950,500 960,600 940,720"),
        path("980,364 1074,396 1096,500 1092,620 1120,740"),
        HAIR["blue"],
        strands=80,
        width=3.2,
        sun=0.4,
    )
    for x, y in ((286, 478), (926, 480)):
        c.stroke([(x - 8, y), (x, y + 4), (x + 8, y + 1)], "#453530", 4, alpha=0.8)
    c.shape(curve(path("-60,960 100,730 600,700 1100,730 1260,960")), "#c8b596", "#8e7a61", rough=1.5)
    c.shape(oval(600, 790, 330, 64), "#f2e1b8", alpha=0.5, soft=26, rough=0)
    for x in (360, 850):
        c.shape(oval(x, 820, 96, 30), "#efe9da", "#cfc6b2", rough=1)
        c.shape(oval(x, 816, 60, 17), "#b79c72", "#8f7753", rough=1)
        for stick in (0, 11):
            c.line([(x + 110 + stick, 850), (x + 134 + stick, 770)], "#5b3f31", 4)
    c.shape(curve(path("560,790 556,730 590,706 634,712 650,750 640,790")), "#6e7d80", "#4b585b")
    c.stroke([(648, 748), (686, 742), (690, 716)], "#5d6b6e", 13)
    c.stroke([(556, 740), (526, 752), (548, 782)], "#5d6b6e", 9)
    for x in (490, 720):
        c.shape([(x - 22, 760), (x + 22, 760), (x + 16, 796), (x - 16, 796)], "#e9e2d0", "#bdb4a0")
    return c


def fridge_note(seed: int) -> Canvas:
    """Three magnets and a note: milk, you, call your sister."""
    c = Canvas(seed)
    c.wash([(0, "#a4a89f"), (1, "#8d8b7f")], body=0.25)
    c.shape(box(130, -20, 1090, 920), "#e4e2d7", "#cfccbf", rough=1, across=True)
    c.shape(box(1040, -20, 1094, 920), "#a8a598", alpha=0.7, soft=10)
    c.shape(box(130, 196, 1090, 208), "#96948a", rough=0.8)
    c.shape(box(130, 208, 1090, 222), "#f3f1e8", rough=0.8)
    for top, bottom in ((60, 170), (270, 640)):
        c.shape(box(184, top, 214, bottom), "#8d8c86", alpha=0.4, soft=7)
        c.shape(box(176, top, 202, bottom), "#c9c9c4", "#8f908c", across=True, rough=0.8)
    c.shape(path("430,300 866,276 890,724 448,742"), "#7e7c70", alpha=0.35, soft=14)
    paper = path("420,288 856,266 876,706 790,722 436,728")
    c.shape(paper, "#f4ecd4", "#e7dbba", rough=1.2)
    c.shape([(876, 706), (796, 672), (790, 722)], "#c9bc98", rough=0.8)
    for row in range(8):
        y = 352 + row * 46
        c.line([(428, y + 4), (864, y - 18)], "#c6cbbd", 1.6)

    def scrawl(x: float, y: float, long: float, words: int) -> None:
        for word in range(words):
            start = x + word * (long / words)
            line = []
            for step in range(int(long / words / 11)):
                line.append((start + step * 9, y - (start + step * 9 - x) * 0.05 + c.hand.uniform(-17, 9)))
            if len(line) > 2:
                c.line(curve(line, closed=False), "#3d4654", 4.2)

    scrawl(480, 400, 170, 1)
    scrawl(480, 492, 120, 1)
    scrawl(480, 590, 330, 3)
    c.stroke([(470, 512), (540, 522), (620, 502)], "#3d4654", 6)
    for dot in (384, 476, 574):
        c.shape(oval(456, dot, 5, 5), "#3d4654")
    for x, y, tone in ((508, 296, "#7c8c8e"), (780, 284, "#a7806a"), (300, 470, "#8b9272")):
        c.shape(oval(x + 7, y + 10, 30, 30), "#5f5d54", alpha=0.4, soft=6)
        c.shape(oval(x, y, 29, 29), light(tone, 0.2), dark(tone, 0.2), rough=0.8)
        c.stroke([(x - 14, y - 10), (x - 4, y - 18), (x + 10, y - 16)], light(tone, 0.7), 6, alpha=0.8)
    # A strip of photo-booth pictures under the third magnet: her, four times.
    c.shape(path("262,484 356,490 346,850 250,842"), "#6f6d63", alpha=0.4, soft=8)
    c.shape(path("254,476 348,482 338,842 242,834"), "#f0ebdd", rough=1)
    for row in range(4):
        x, y = 260 - row * 3, 486 + row * 88
        c.shape([(x, y), (x + 76, y + 4), (x + 73, y + 80), (x - 3, y + 76)], "#77838a", "#99a1a3", rough=0.8)
        lean = (-6, 8, 0, -10)[row]
        c.shape(oval(x + 36 + lean, y + 44, 25, 30), HAIR["blue"], dark(HAIR["blue"], 0.25), rough=0.8)
        c.shape(oval(x + 37 + lean, y + 48, 15, 19), "#dcc0a8", rough=0.5)
        c.shape(
            curve(
                [
                    (x + 6 + lean, y + 78),
                    (x + 18 + lean, y + 66),
                    (x + 54 + lean, y + 66),
                    (x + 68 + lean, y + 80),
                ]
            ),
            "#6d665f",
        )
    c.shape(oval(301, 474, 27, 27), "#8b9272", "#6c7357", rough=0.8)
    c.shape(path("940,-20 1090,-20 1090,920 760,920"), "#fbf6e6", alpha=0.16, soft=18)
    return c
