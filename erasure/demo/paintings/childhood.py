"""A few days of his childhood: faded color film, low points of view, and nobody's hair."""

from __future__ import annotations

import math

from erasure.demo.paintings.brush import Canvas, box, curve, dark, light, mix, oval, path
from erasure.demo.paintings.figures import small


def under_table(seed: int) -> Canvas:
    """From below: the linoleum, the table's legs, his mother's shoes."""
    c = Canvas(seed)
    c.wash([(0, "#c7b48c"), (1, "#dccba5")], 0, 470, body=0.25)
    c.shape(box(330, 90, 560, 420), "#efe6cb", "#d3c9a8", rough=1.2)
    c.glow(450, 260, 380, "#fff6da", 0.65)
    c.shape(box(740, 60, 1210, 480), "#a3926d", "#8d7c5a", rough=1.2)
    for x in (750, 990):
        c.shape(box(x, 100, x + 216, 460), "#b5a37c", "#9a8862", rough=1)
        c.shape(oval(x + 190, 270, 8, 8), "#e4d9b8")
    floor = 468.0
    c.shape(box(-10, floor, 1210, 910), "#c0ad88", "#8e7c5e", rough=0)
    for row in range(9):
        near, far = floor + 440 * (row / 9) ** 1.7, floor + 440 * ((row + 1) / 9) ** 1.7
        for column in range(-8, 14):
            if (row + column) % 2:
                continue

            def spot(a: float, y: float) -> tuple[float, float]:
                return (600 + (a - 3) * 108 * (0.5 + (y - floor) / 300), y)

            c.shape(
                [spot(column, near), spot(column + 1, near), spot(column + 1, far), spot(column, far)],
                "#77806f",
                light("#77806f", 0.12),
                rough=0.8,
                alpha=0.9,
            )
    c.shape(path("330,470 560,470 760,910 160,910"), "#fff3d2", alpha=0.24, soft=20)
    for x in (660, 770):
        lean = 0 if x < 700 else 18
        c.shape(
            curve(
                [
                    (x - 34, 130),
                    (x + 36, 130),
                    (x + 40 + lean, 330),
                    (x + 22 + lean, 520),
                    (x - 16 + lean, 520),
                    (x - 36 + lean, 320),
                ]
            ),
            "#d9b795",
            "#b8937a",
            across=True,
            rough=1,
        )
        c.shape(
            curve(
                [
                    (x - 30 + lean, 540),
                    (x - 20 + lean, 494),
                    (x + 26 + lean, 500),
                    (x + 40 + lean, 560),
                    (x + 4 + lean, 616),
                    (x - 70 + lean, 640),
                    (x - 108 + lean, 620),
                    (x - 84 + lean, 580),
                ]
            ),
            "#6d5a50",
            "#463a35",
            rough=1.2,
        )
        c.shape(box(x + 14 + lean, 560, x + 38 + lean, 622), "#463a35")
        c.stroke([(x - 70 + lean, 592), (x - 40 + lean, 580), (x - 20 + lean, 540)], "#a58f80", 6, alpha=0.7)
    c.shape(
        curve(path("540,-20 560,180 600,262 700,280 830,262 880,160 900,-20")), "#8fa09a", "#6d7f7b", rough=2
    )
    for _ in range(26):
        c.shape(oval(c.hand.uniform(570, 870), c.hand.uniform(120, 260), 8, 8), "#e8dfc6", alpha=0.8)
    cloth = path(
        "-40,-40 1240,-40 1240,96 1130,136 1010,104 880,140 740,106 600,142 450,108 "
        "310,140 170,104 60,138 -40,100"
    )
    c.shape(curve(cloth), "#5b4c3b", "#d8c69e", rough=1.5)
    c.shape(box(-10, -10, 1210, 50), "#4b3c2d", "#3c3025", soft=4)
    for x, wide in ((150, 62), (1010, 66)):
        c.shape(
            [(x, -10), (x + wide, -10), (x + wide * 0.84, 800), (x + wide * 0.16, 800)],
            "#7d5f41",
            "#513b28",
            across=True,
            rough=1.2,
        )
    c.shape(box(330, 760, 440, 806), "#8d9489", "#6a7169", rough=1)
    c.shape(box(360, 730, 416, 764), "#a9aa98", rough=1)
    for x in (352, 418):
        c.shape(oval(x, 810, 17, 17), "#3c3a35")
        c.shape(oval(x, 810, 7, 7), "#bfb59a")
    return c


def raincoat(seed: int) -> Canvas:
    """Too big on purpose: a small yellow coat and a puddle."""
    c = Canvas(seed, upright=True)
    c.wash([(0, "#9aa09a"), (1, "#b9b5a4")], 0, 720, body=0.3)
    c.shape(box(-10, 90, 330, 700), "#857968", "#71665a", rough=1.5)
    for row in range(11):
        c.stroke(
            [(-10, 110 + row * 54), (160, 112 + row * 54), (330, 110 + row * 54)], "#a09482", 4, alpha=0.5
        )
    c.shape(box(80, 230, 220, 470), "#4d5350", "#6c726d")
    for line in ([(150, 230), (150, 470)], [(80, 350), (220, 350)]):
        c.line(line, "#b9ae98", 9)
    for number in range(4):
        x = 470.0 + number * 120
        c.stroke([(x, 720), (x - 8, 480), (x + 14, 180)], "#6d675c", 26)
        for _ in range(22):
            c.shape(
                oval(c.about(x + 10, 110), c.hand.uniform(80, 360), 26, 17, tilt=c.hand.uniform(0, 3)),
                c.hand.choice(("#a98c5e", "#8f7f5c", "#b59a68", "#86805f")),
                alpha=0.75,
                rough=1.5,
            )
    c.wash([(0, "#97978e"), (1, "#6f716c")], 700, 1200, body=0.45)
    c.shape(box(-10, 690, 910, 716), "#a9a593", "#8b887a", rough=1.5)
    c.shape(
        curve(path("120,1040 260,960 500,940 740,980 830,1060 700,1140 420,1160 200,1120")),
        "#b4bab6",
        "#8e9996",
        rough=1.5,
    )
    # His reflection, then he himself.
    c.shape(curve(path("360,1010 540,1010 570,1120 450,1150 330,1120")), "#b89a52", alpha=0.5, soft=10)
    yellow = "#d2ac4e"
    for side in (-1, 1):
        x = 450.0 + side * 52
        c.shape(box(x - 26, 860, x + 26, 950), "#5f5a52", rough=1)
        c.shape(
            curve([(x - 34, 910), (x + 34, 910), (x + 40, 1000), (x + side * 46, 1024), (x - 40, 1020)]),
            "#4f5d57",
            "#37423e",
            rough=1.4,
        )
    coat = path("380,500 330,580 290,740 264,900 450,930 640,900 612,740 572,580 520,500")
    c.shape(curve(coat), light(yellow, 0.15), dark(yellow, 0.18), across=True, rough=2, body=0.4)
    for side in (-1, 1):
        c.shape(
            curve(
                [
                    (450 + side * 90, 540),
                    (450 + side * 150, 640),
                    (450 + side * 196, 800),
                    (450 + side * 130, 820),
                    (450 + side * 90, 680),
                ]
            ),
            light(yellow, 0.05),
            dark(yellow, 0.25),
            rough=1.6,
        )
    c.stroke([(450, 540), (456, 720), (450, 920)], dark(yellow, 0.35), 7)
    for y in (610.0, 690, 770, 850):
        c.shape(oval(468, y, 9, 9), "#6b5a35")
    hood = path("450,320 356,356 326,450 350,540 450,572 550,540 574,450 544,356")
    c.shape(curve(hood), light(yellow, 0.2), dark(yellow, 0.12), rough=1.5)
    c.shape(oval(450, 462, 84, 92), dark(yellow, 0.5), rough=1)
    c.shape(oval(450, 476, 68, 74), "#dcbfa2", "#bf9c82", rough=0.8)
    c.shape(curve(path("388,448 420,410 480,410 512,448 480,434 420,438")), "#4f4034", rough=1)
    for eye in (426, 474):
        c.shape(oval(eye, 476, 5, 6), "#43362e", rough=0)
    c.stroke([(432, 514), (450, 521), (468, 512)], "#99604f", 5)
    for x in (404.0, 496):
        c.shape(oval(x, 500, 15, 11), "#cf8f78", alpha=0.35, soft=5)
    for ring in range(4):
        ripple = oval(450, 1030, 120 + ring * 62, 26 + ring * 17)
        c.line([*ripple, ripple[0]], "#d6dbd6", 2.4)
    for _ in range(150):
        x, y = c.hand.uniform(-20, 920), c.hand.uniform(-20, 1180)
        c.line([(x, y), (x - 7, y + c.hand.uniform(20, 46))], "#d3d7d2", 1.5)
    return c


def bicycle(seed: int) -> Canvas:
    """His, against the garage, without its bell."""
    c = Canvas(seed)
    c.wash([(0, "#d7cba6"), (1, "#c8b78d")], 0, 680, body=0.2)
    for row in range(11):
        y = 20.0 + row * 62
        c.shape(
            box(-10, y, 1210, y + 58), mix("#d3c7a3", "#c0b088", c.hand.random() * 0.6), rough=1, body=0.3
        )
        c.stroke([(-10, y + 59), (600, y + 60), (1210, y + 59)], "#93835f", 5, alpha=0.7)
    c.shape(box(820, -10, 1120, 660), "#7b8a80", "#66766d", rough=1.4)
    for x, y in path("850,40 985,40 850,340 985,340"):
        c.shape(box(x, y, x + 108, y + 260), "#6a7a71", "#86948a", rough=1)
    c.shape(oval(1086, 360, 13, 13), "#d8c993")
    c.wash([(0, "#a9a077"), (1, "#7f7f58")], 660, 900, body=0.45)
    c.shape(curve(path("-40,760 400,730 1240,770 1240,960 -40,960")), "#c0b393", "#a1947a", rough=2)
    c.shape(path("-20,-20 330,-20 40,690 -20,690"), "#5f5a43", alpha=0.28, soft=20)
    back, front, hub, r = (360.0, 600.0), (800.0, 600.0), (550, 606), 150
    for x, y in (back, front):
        c.shape(oval(x + 90, 762, 190, 18), "#5c5341", alpha=0.5, soft=9, rough=0)
        wheel = oval(x + 26, y - 12, r, r)
        c.line([*wheel, wheel[0]], "#a39470", 8)
    for x, y in (back, front):
        for spoke in range(18):
            turn = spoke * math.pi / 9
            c.line([(x, y), (x + r * math.cos(turn), y + r * math.sin(turn))], "#8f8b80", 1.3)
        wheel = oval(x, y, r, r, steps=60)
        c.line([*wheel, wheel[0]], "#3d3a36", 15)
        inner = oval(x, y, r - 12, r - 12, steps=60)
        c.line([*inner, inner[0]], "#cfc8b6", 4)
        c.shape(oval(x, y, 14, 14), "#6b675e")
    frame = "#5f7f86"
    seat, head = (490, 380), (730, 372)
    for line in ([back, hub, head, seat, hub], [back, (496, 420)], [(730, 360), (752, 440), front]):
        c.line([(x, y + 3) for x, y in line], dark(frame, 0.45), 19)
        c.line(line, frame, 16)
        c.line([(x - 2, y - 4) for x, y in line], light(frame, 0.45), 4)
    c.line([seat, (478, 330)], "#b3afa4", 11)
    c.shape(
        curve(path("400,310 440,296 520,310 560,322 520,340 450,348 408,340")),
        "#5d4536",
        "#3d2e26",
        rough=1.2,
    )
    c.line([(730, 372), (718, 296)], "#b3afa4", 11)
    c.stroke(path("600,270 640,236 690,262 718,292 748,256 790,244 812,286"), "#c6c1b4", 20)
    for x, y in ((612, 262), (798, 280)):
        c.shape(oval(x, y, 26, 12, tilt=0.5), "#3f3a36")
    c.shape(oval(*hub, 40, 40), "#8b867a", rough=0.6)
    c.shape(oval(*hub, 28, 28), "#4a4741", rough=0.6)
    c.line([(552, 606), (580, 682)], "#57534b", 10)
    c.shape(box(560, 678, 618, 694), "#3d3a36")
    c.line([(366, 580), (550, 570)], "#54504a", 4)
    c.line([(366, 622), (550, 642)], "#54504a", 4)
    c.line([(400, 640), (300, 760)], "#7b776c", 8)
    # Where the bell was: one bright ring on the bar.
    c.shape(oval(676, 256, 10, 10), "#efe7cf", rough=0.4)
    for number in range(60):
        x = number * 21 + c.hand.uniform(-8, 8)
        tall = c.hand.uniform(16, 46)
        c.stroke(
            [(x, 742), (x + 4, 742 - tall * 0.6), (x + c.hand.uniform(-10, 14), 742 - tall)],
            c.hand.choice(("#7d8255", "#94946a", "#696f48")),
            5,
        )
    for _ in range(9):
        x, y = c.hand.uniform(20, 1180), c.hand.uniform(700, 740)
        c.shape(oval(x, y, 9, 9), "#efe6cc", rough=1)
        c.shape(oval(x, y, 4, 4), "#c9a24e", rough=0)
    c.glow(760, 130, 620, "#fff3cd", 0.3)
    return c


def porch(seed: int) -> Canvas:
    """His grandmother's porch by the sea: a chair, a line of washing, August."""
    c = Canvas(seed)
    c.wash([(0, "#b9c4be"), (1, "#e9dfc2")], 0, 480, body=0.15)
    c.clouds("#f3ecd9", 20, 430, alpha=0.6, amount=0.5, flat=3)
    c.shape(box(-10, 466, 1210, 580), "#8fa6a3", "#b1bdb2", rough=1)
    for _ in range(26):
        x, y = c.hand.uniform(300, 1200), c.hand.uniform(474, 570)
        c.stroke(
            [(x, y), (x + 40, y - 2), (x + c.hand.uniform(60, 130), y)],
            c.hand.choice(("#dfe0d0", "#7b928f")),
            4,
            alpha=0.6,
        )
    sail = [(930, 476), (930, 380), (986, 468)]
    c.shape(sail, "#f4efdf", "#d9d0ba", rough=1)
    c.shape(path("906,478 992,478 976,494 918,494"), "#7d6a55", rough=0.8)
    c.shape(curve(path("200,600 520,566 900,578 1260,560 1260,960 200,960")), "#cbbd95", "#a39a72", rough=2)
    for number in range(90):
        x, y = c.hand.uniform(420, 1210), c.hand.uniform(590, 720)
        tall = c.hand.uniform(20, 60)
        c.line(
            [(x, y), (x + 4, y - tall * 0.6), (x + c.hand.uniform(4, 26), y - tall)],
            mix("#8c8a5f", "#b7ad7d", number % 10 / 10),
            1.8,
        )
    # Washing on the line.
    rope = curve(path("470,300 700,344 940,340 1230,280"), closed=False)
    c.line(rope, "#8d8266", 2.5)
    for x, y, wide, tall, tone in (
        (600, 330, 110, 190, "#efe9da"),
        (740, 346, 90, 120, "#9fb0ac"),
        (860, 346, 130, 210, "#e8d9bd"),
    ):
        sway = c.hand.uniform(18, 40)
        sheet = [
            (x, y),
            (x + wide, y),
            (x + wide + sway * 0.6, y + tall * 0.5),
            (x + wide + sway, y + tall),
            (x + wide * 0.5 + sway, y + tall + 12),
            (x + sway, y + tall),
            (x + sway * 0.4, y + tall * 0.5),
        ]
        c.shape(curve(sheet, steps=5), light(tone, 0.3), dark(tone, 0.1), across=True, rough=1.4, body=0.3)
        for fold in (0.3, 0.66):
            c.stroke(
                [
                    (x + wide * fold, y + 6),
                    (x + wide * fold + sway * 0.4, y + tall * 0.5),
                    (x + wide * fold + sway, y + tall - 6),
                ],
                dark(tone, 0.25),
                8,
                alpha=0.4,
                soft=2,
            )
    small(c, 1040, 690, 240, "#a9937f", legs="#c9a88c", shadow="#7d7455", long=0.56)
    c.shape(oval(1040, 690 - 240 * 0.91, 22, 25), "#c9c4b8", "#a8a296", rough=1)
    c.shape(oval(1040, 690 - 240 * 0.985, 11, 9), "#b9b3a6", rough=1)
    # The house to the left, in shadow; boards run to the light.
    c.shape(path("-10,-10 430,-10 330,640 -10,760"), "#8c8a79", "#777565", across=True, rough=1.5)
    for row in range(17):
        y = -10 + row * 46
        c.stroke([(-10, y + 20), (200, y + 4), (420 - row * 6, y - 12)], "#5f5e50", 4, alpha=0.5)
    c.shape(path("70,170 230,180 222,480 70,510"), "#4a4f48", "#666b60", rough=1.2)
    c.shape(path("70,170 120,174 104,340 70,350"), "#d9cfb4", alpha=0.8, rough=1.5)
    for line in (
        [(150, 174), (146, 496)],
        [(70, 340), (226, 332)],
        path("60,162 240,172 230,490 60,522 60,162"),
    ):
        c.line(line, "#d8cdaf", 9)
    c.shape(path("-10,740 330,628 1210,760 1210,910 -10,910"), "#a4937a", "#796a55", rough=1.4)
    for number in range(9):
        c.stroke(
            [(330 + number * 90, 640 + number * 12), (200 + number * 124, 760), (-60 + number * 190, 920)],
            "#5f5242",
            4,
            alpha=0.6,
        )
    for x, wide in ((396, 34), (1130, 44)):
        c.shape(box(x, -10, x + wide, 770), "#e3d9bf", "#b3a88d", across=True, rough=1)
    c.shape(box(-10, -10, 1210, 56), "#cfc4a8", "#a2977c", rough=1.2)
    for number in range(25):
        x = 430 + number * 28
        c.shape(
            box(x, 570 + number * 3.0, x + 11, 668 + number * 4.0),
            "#e0d6bc",
            "#b8ad92",
            across=True,
            rough=0.8,
        )
    c.shape(path("420,556 1140,634 1140,656 420,574"), "#eae1c9", "#c0b59a", rough=1)
    # The rocking chair.
    wood = "#6d5238"
    for line in (
        path("150,500 176,690 330,680 348,560"),
        [(176, 690), (160, 812)],
        [(330, 680), (344, 808)],
        [(160, 600), (330, 588)],
    ):
        c.line(line, wood, 14)
    for number in range(5):
        c.line([(156 + number * 34, 470 + number % 2 * 4), (180 + number * 34, 684)], light(wood, 0.14), 9)
    c.line([(146, 474), (316, 462)], wood, 17)
    c.line(curve(path("96,800 180,836 300,838 410,790"), closed=False), dark(wood, 0.2), 14)
    c.shape(curve(path("180,660 330,652 344,690 186,704")), "#a58a78", "#83695a", rough=1.2)
    c.shape(path("430,640 1130,720 1130,780 520,800"), "#fff0cc", alpha=0.25, soft=18)
    c.glow(780, 250, 560, "#fff4d0", 0.35)
    return c
