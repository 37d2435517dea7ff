"""Indoors: the bookshop, kitchens, the couch, a restaurant, the train."""

from __future__ import annotations

from erasure.demo.paintings.brush import Canvas, Point, box, curve, dark, light, mix, oval
from erasure.demo.paintings.figures import HAIR, hair, small

SPINES = ("#7b6a5b", "#5d6b70", "#8f8069", "#6a5f62", "#a59678", "#4f5a5c", "#8a7468", "#c3b597", "#66705f", "#756055")


def _books(
    c: Canvas, left: float, right: float, floor: float, tall: float, *, dim: float = 0.0, thick: float = 1.0
) -> None:
    """A row of books on one shelf, dimmed by `dim`."""
    x = left
    while x < right - 4:
        wide = min(c.hand.uniform(9, 24) * thick, right - x)
        high = tall * c.hand.uniform(0.7, 0.97)
        lean = c.hand.uniform(4, 12) * thick if c.hand.random() < 0.07 else 0
        tone = dark(c.hand.choice(SPINES), dim)
        spine = [(x + lean, floor - high), (x + wide + lean, floor - high), (x + wide, floor), (x, floor)]
        c.shape(spine, light(tone, 0.12), dark(tone, 0.25), across=True, rough=0.5, body=0)
        if c.hand.random() < 0.5:
            y = floor - high * c.hand.uniform(0.6, 0.85)
            c.line([(x + lean * 0.7 + 2, y), (x + wide + lean * 0.7 - 2, y)], light(tone, 0.45), 2 * thick)
        x += wide + lean + 0.5


def _aisle(c: Canvas, vanish: Point, *, dim: float = 0.0) -> None:
    """Shelves to both sides that run away to a vanishing point."""
    vx, vy = vanish
    for side in (-1, 1):
        edge = 0 if side < 0 else c.width
        near, far = 1.0, 0.24

        def spot(depth: float, y: float, edge: float = edge) -> Point:
            return (vx + (edge - vx) * depth, vy + (y - vy) * depth)

        wood = dark("#6b5643", dim)
        c.shape([spot(near, -120), spot(far, -120), spot(far, 1330), spot(near, 1330)], dark(wood, 0.45), rough=0)
        for row in range(7):
            floor, tall = 60 + row * 196, 176
            depth = near
            while depth > far:
                thin = depth * c.hand.uniform(0.018, 0.045)
                high = tall * c.hand.uniform(0.68, 0.95)
                deeper = depth - thin
                tone = mix(dark(c.hand.choice(SPINES), dim), "#2b2622", (1 - depth) * 0.35)
                c.shape(
                    [spot(depth, floor - high), spot(deeper, floor - high), spot(deeper, floor), spot(depth, floor)],
                    light(tone, 0.14 * (1 - dim)),
                    dark(tone, 0.2),
                    across=True,
                    rough=0.4,
                    body=0,
                )
                depth = deeper
            c.shape([spot(near, floor), spot(far, floor), spot(far, floor + 16), spot(near, floor + 16)], light(wood, 0.16),
                    rough=0.6)
        c.shape([spot(far + 0.012, -120), spot(far, -120), spot(far, 1330), spot(far + 0.012, 1330)], wood, rough=0.4)


def bookshop(seed: int) -> Canvas:
    """Aisle four: green hair between the shelves."""
    c = Canvas(seed, upright=True, ground="#b7a88f")
    c.wash([(0, "#cfc2a9"), (0.45, "#e9dfc8"), (0.55, "#cdbfa3"), (1, "#8a7358")], body=0.25)
    c.glow(450, 430, 420, "#fbf3dc", 0.8)
    for number in range(4):
        y = 330 - number * number * 26
        c.shape(box(450 - 26 - number * 22, y, 450 + 26 + number * 22, y + 5 + number * 4), "#fdf8e8", rough=0.6)
    _aisle(c, (450, 480))
    for number in range(7):
        y = 690 + number * number * 13
        c.stroke([(260 - number * 45, y), (450, y + 3), (640 + number * 45, y)], "#6d583f", 3 + number, alpha=0.5)
    c.shape([(350, 690), (550, 690), (760, 1210), (140, 1210)], "#efe2c4", alpha=0.22, soft=24)
    small(c, 448, 940, 520, "#8d8a83", hair_color=HAIR["green"], legs="#434a55", shadow="#5a4a38", long=0.36)
    c.stroke([(510, 560), (590, 590), (622, 560)], "#7f7c75", 34)
    c.shape([(600, 520), (660, 510), (668, 590), (608, 600)], "#b59f7c", "#8d7a5c", rough=1)
    c.stroke([(612, 556), (626, 560), (640, 556)], "#d9b9a0", 18)
    c.shape(curve([(60, 1210), (70, 1120), (150, 1090), (260, 1106), (270, 1210)]), "#5d4f40", "#3f362c")
    for number in range(4):
        c.shape(box(84 + number * 7, 1090 - number * 34, 250 - number * 5, 1122 - number * 34),
                SPINES[(number * 3 + 1) % 10], rough=1.4)
    return c


def bookshop_dark(seed: int) -> Canvas:
    """The lights went off early: on the floor in Travel, with a flashlight."""
    c = Canvas(seed, upright=True, ground="#141a22")
    c.wash([(0, "#10151c"), (1, "#1c2026")], body=0.2)
    for row in range(5):
        floor = 190 + row * 186
        c.shape(box(-10, floor - 172, 910, floor), "#12161b", rough=0)
        _books(c, 10, 890, floor, 164, dim=0.5, thick=1.5)
        c.shape(box(-10, floor, 910, floor + 15), "#2c261f", rough=0.6)
    c.veil("#0e141c", 0.5)
    c.shape([(610, 900), (80, 20), (690, -80)], "#e9d6a4", alpha=0.3, soft=26)
    c.shape(oval(350, 240, 290, 250, tilt=0.2), "#f2dfae", alpha=0.42, soft=34)
    c.glow(360, 240, 240, "#fff3cf", 0.5)
    c.wash([(0, "#252628"), (1, "#15181c")], 950, 1200, body=0.35)
    c.glow(600, 990, 300, "#d9c08a", 0.35)
    # He sits to the left, she leans on him with the light in her hand.
    c.shape(curve([(120, 1140), (140, 900), (210, 800), (330, 800), (400, 900), (420, 1140)]), "#252b33", "#181c22", rough=1.5)
    c.shape(oval(270, 728, 66, 82), "#8c7466", "#5e4e46", across=True)
    c.shape(curve([(198, 730), (204, 648), (270, 616), (338, 648), (344, 720), (316, 690), (230, 690)]), "#241f1e", rough=1)
    c.shape(curve([(110, 1150), (230, 1010), (430, 1060), (540, 1150), (420, 1190), (160, 1190)]), "#1d2229", "#14181d", rough=1.5)
    c.shape(curve([(420, 1150), (430, 930), (490, 850), (600, 850), (670, 930), (700, 1150)]), "#5f5650", "#37332f", rough=1.5)
    c.shape(curve([(430, 1160), (520, 1010), (700, 1050), (790, 1150), (660, 1196), (460, 1190)]), "#3d4653", "#262c35", rough=1.5)
    c.shape(oval(524, 772, 62, 78), "#cfae91", "#8b7262", rough=1)
    hair(c, [(520, 678), (450, 706), (440, 780), (432, 870), (426, 950)],
         [(530, 678), (500, 712), (474, 780), (478, 870), (486, 950)], HAIR["blue"], strands=34, sun=0.3)
    hair(c, [(520, 678), (556, 710), (582, 770), (580, 860), (566, 950)],
         [(540, 676), (606, 706), (628, 790), (640, 880), (650, 960)], HAIR["blue"], strands=46, sun=0.5)
    c.shape(curve([(462, 730), (470, 690), (526, 668), (590, 694), (600, 740), (560, 712), (510, 712)]), HAIR["blue"],
            dark(HAIR["blue"], 0.15), rough=1)
    for eye in (502, 546):
        c.stroke([(eye - 10, 776), (eye, 781), (eye + 10, 776)], "#5d463d", 3.5, alpha=0.8)
    c.stroke([(512, 818), (526, 822), (540, 817)], "#97604f", 4, alpha=0.8)
    c.stroke([(660, 930), (700, 990), (640, 940)], "#57504a", 40)
    c.shape([(588, 884), (616, 868), (652, 950), (628, 964)], "#8e9296", "#565a5f", rough=0.8)
    c.glow(602, 872, 60, "#fff6d8", 0.95)
    c.specks(60, "#f2dfae", (120, 60, 640, 820), (0.8, 2.2), alpha=0.5, soft=0.6)
    return c


def bookshop_blue(seed: int) -> Canvas:
    """Through the glass from the street: she did not know me."""
    c = Canvas(seed, upright=True, ground="#3a434e")
    c.wash([(0, "#d9c193"), (0.6, "#e9d6ab"), (1, "#b59b6f")], 150, 900, body=0.25)
    for number, x in enumerate((250, 470, 680)):
        c.line([(x, 150), (x, 260)], "#6b5a41", 3)
        c.glow(x, 290, 170, "#fff4d0", 0.85)
        c.shape([(x - 16, 256), (x + 16, 256), (x + 46, 300), (x - 46, 300)], "#59604f" if number % 2 else "#6a6458")
    for row in range(3):
        _books(c, 120, 790, 480 + row * 142, 112, dim=0.0)
        c.shape(box(110, 480 + row * 142, 800, 492 + row * 142), "#7c6447")
    c.blurred(2.4)
    c.shape(curve([(330, 900), (346, 720), (400, 640), (520, 640), (580, 720), (600, 900)]), "#7d7a72", "#5c5a55", rough=1.5)
    c.shape(oval(458, 540, 66, 84), "#d8b89c", "#c29f85", rough=1)
    hair(c, [(450, 438), (378, 470), (366, 560), (362, 660), (350, 740)],
         [(460, 438), (424, 474), (400, 560), (404, 660), (410, 740)], HAIR["blue"], strands=34, sun=0.4)
    hair(c, [(456, 438), (500, 474), (522, 560), (516, 660), (508, 740)],
         [(470, 438), (544, 470), (560, 570), (564, 660), (574, 744)], HAIR["blue"], strands=34, sun=0.4)
    c.shape(curve([(392, 510), (404, 452), (460, 428), (520, 454), (530, 514), (500, 486), (424, 484)]), HAIR["blue"],
            dark(HAIR["blue"], 0.1), rough=1)
    for eye in (434, 482):
        c.stroke([(eye - 11, 540), (eye, 545), (eye + 11, 540)], "#6d5448", 4, alpha=0.75)
    c.stroke([(444, 590), (458, 593), (474, 590)], "#a76a5c", 5, alpha=0.7)
    c.shape(box(100, 800, 800, 930), "#7a5f42", "#59452f")
    c.shape(box(90, 786, 810, 806), "#9a7c57")
    for number in range(6):
        c.shape(box(150 + number * 3, 772 - number * 19, 282 - number * 4, 788 - number * 19), SPINES[number + 2], rough=1)
    c.shape([(620, 786), (626, 700), (720, 694), (728, 786)], "#5b5f61", "#44484b")
    # Reflections of the street lie on the glass.
    c.shape([(110, 150), (330, 150), (120, 900), (110, 900)], "#cdd8de", alpha=0.2, soft=6)
    c.shape([(640, 150), (720, 150), (500, 930), (410, 930)], "#cdd8de", alpha=0.15, soft=6)
    c.shape(curve([(610, 940), (624, 690), (690, 590), (790, 610), (850, 760), (850, 940)]), "#212a35", alpha=0.36, soft=5)
    c.shape(oval(724, 540, 60, 78), "#212a35", alpha=0.36, soft=5)
    for _ in range(14):
        x, y = c.hand.uniform(130, 780), c.hand.uniform(170, 420)
        c.shape(oval(x, y, 15, 15), "#e8eef0", alpha=0.22, soft=3, rough=0)
    wood = "#31424a"
    for piece in (box(-10, -10, 910, 150), box(-10, -10, 112, 1210), box(790, -10, 910, 1210), box(-10, 930, 910, 1060)):
        c.shape(piece, light(wood, 0.07), dark(wood, 0.2), rough=1)
    c.shape(box(446, 150, 456, 440), wood, rough=0.6, alpha=0.0)
    c.shape(box(90, 40, 810, 122), dark(wood, 0.25), rough=1)
    # A shop sign of brush marks, no words.
    for x in range(170, 740, 38):
        if x in (360, 550):
            continue
        c.stroke([(x, 98), (x + 8, 62), (x + 18, 96)], "#cbb88d", 7, alpha=0.9)
        c.stroke([(x + 2, 84), (x + 12, 82), (x + 24, 92)], "#cbb88d", 5, alpha=0.9)
    for panel in (140, 470):
        c.shape(box(panel, 960, panel + 290, 1040), dark(wood, 0.22), dark(wood, 0.1), rough=1)
    c.wash([(0, "#c4ccd4"), (1, "#97a4b2")], 1056, 1200, body=0.35)
    c.shape(box(120, 1070, 790, 1130), "#ecd9a8", alpha=0.4, soft=22)
    c.specks(220, "#f2f3f0", (0, 0, 900, 1200), (0.8, 3), alpha=0.85, soft=0.5)
    c.specks(36, "#f7f7f3", (0, 0, 900, 1200), (4, 8), alpha=0.6, soft=3)
    return c


def couch(seed: int) -> Canvas:
    """A Sunday: four feet at one end of the blanket, her hair at the other."""
    c = Canvas(seed)
    c.wash([(0, "#b7b5a6"), (1, "#a39d8c")], 0, 720, body=0.25)
    c.shape(box(120, 40, 520, 380), "#e8e6db", "#c6cdcd", rough=1)
    c.shape(curve([(120, 380), (200, 300), (300, 330), (420, 270), (520, 320), (520, 380)]), "#9fa8a4", within=box(120, 40, 520, 380))
    for line in ([(320, 40), (320, 380)], [(120, 205), (520, 205)]):
        c.line(line, "#8f8a7b", 8)
    for edge in (104, 508):
        c.shape(box(edge, 30, edge + 22, 396), "#8f8a7b")
    c.shape(box(90, 384, 550, 404), "#99937f")
    c.shape([(120, 404), (560, 404), (900, 900), (300, 900)], "#f5ecd4", alpha=0.16, soft=22)
    c.shape(box(780, 110, 1010, 290), "#6f6656", rough=1)
    c.shape(box(796, 126, 994, 274), "#d8d0ba", "#b8b3a2")
    c.shape(curve([(800, 274), (860, 210), (920, 240), (990, 190), (994, 274)]), "#8b948d", within=box(796, 126, 994, 274))
    c.wash([(0, "#8b7357"), (1, "#5d4b38")], 760, 900, body=0.4)
    sofa = "#66726a"
    c.shape(curve([(60, 700), (66, 470), (120, 400), (600, 388), (1090, 400), (1144, 470), (1150, 700)]), light(sofa, 0.1),
            dark(sofa, 0.15), rough=2)
    c.shape(box(110, 580, 1100, 800), dark(sofa, 0.1), dark(sofa, 0.3), rough=2)
    for x in (420, 760):
        c.stroke([(x, 420), (x + 4, 500), (x, 590)], dark(sofa, 0.4), 5, alpha=0.6)
    c.shape(curve([(720, 560), (700, 450), (800, 420), (900, 450), (900, 560), (800, 590)]), "#b9a98d", "#94866c", rough=1.5)
    # Her, lying: shoulder, head on the pillow, hair over the edge.
    c.shape(curve([(770, 590), (790, 500), (880, 478), (970, 510), (1010, 590)]), "#9c948a", "#7d766e", rough=1.2)
    hair(c, [(842, 420), (900, 440), (960, 520), (990, 620), (980, 720)],
         [(930, 400), (1010, 430), (1060, 530), (1070, 630), (1060, 740)], HAIR["green"], strands=80, width=3, sun=0.4)
    c.shape(oval(880, 468, 56, 62, tilt=0.5), "#dcbfa6", "#c8a68d", rough=0.8)
    hair(c, [(846, 428), (850, 470), (838, 520)], [(930, 404), (890, 440), (856, 524)], HAIR["green"], strands=26, width=3,
         sun=0.5, ragged=8)
    c.stroke([(884, 484), (896, 490), (910, 488)], "#7a5e50", 3.5)
    c.stroke([(872, 512), (882, 517), (894, 515)], "#a86e60", 4)
    blanket = [(190, 610), (260, 520), (420, 540), (600, 500), (760, 530), (830, 580), (840, 690), (820, 850), (600, 838),
               (400, 860), (240, 838), (180, 730)]
    c.shape(curve(blanket), "#b98a63", "#8d6547", rough=2, body=0.35)
    for number in range(9):
        x = 230 + number * 70
        c.stroke([(x, 560 + number % 2 * 10), (x + 16, 690), (x - 6, 842)], "#d9b78d" if number % 2 else "#7c563d", 16, alpha=0.55)
    for y in (610, 690, 775):
        c.stroke([(192, y), (500, y - 22), (836, y)], "#e6cda6", 13, alpha=0.5)
    for number in range(30):
        x = 240 + number * 19
        c.line([(x, 848), (c.about(x, 4), 872)], "#c19b74", 2.5)
    for x, y, tilt, tone in ((214, 576, -0.5, "#d9d2c2"), (258, 548, -0.2, "#d9d2c2"), (160, 640, -0.7, "#4f5861"),
                             (196, 616, -0.45, "#4f5861")):
        c.shape(oval(x, y, 25, 50, tilt=tilt), light(tone, 0.1), dark(tone, 0.2), rough=1)
        c.stroke([(x - 14, y + 16), (x, y + 22), (x + 14, y + 18)], dark(tone, 0.2), 5, alpha=0.6)
    for x in (36, 1078):
        c.shape(curve([(x, 800), (x - 4, 560), (x + 40, 510), (x + 86, 560), (x + 84, 800)]), light(sofa, 0.14), dark(sofa, 0.25),
                rough=1.5)
    return c


def kitchen_red(seed: int) -> Canvas:
    """Pasta at midnight: every light on, steam on the lens."""
    c = Canvas(seed)
    c.wash([(0, "#d3b98a"), (1, "#e3cda0")], 0, 620, body=0.2)
    tile = "#e5d9bd"
    for row in range(4):
        for column in range(16):
            c.shape(box(column * 76 + row % 2 * 2, 372 + row * 58, column * 76 + 72, 426 + row * 58),
                    mix(tile, "#cdbb95", c.hand.random() * 0.6), rough=0.8, body=0)
    c.shape(box(40, 30, 420, 330), "#8f8a6e", "#7c775e", rough=1.2)
    c.line([(230, 36), (230, 326)], "#66624d", 4)
    for x in (212, 248):
        c.shape(oval(x, 270, 7, 7), "#d6c9a0")
    c.shape(box(860, 60, 1120, 340), "#2b3747", "#38475a", rough=1.2)
    c.specks(40, "#dfe3e0", (875, 70, 1110, 330), (1, 2.6), alpha=0.8)
    for line in ([(990, 60), (990, 340)], [(860, 200), (1120, 200)]):
        c.line(line, "#a8966b", 8)
    c.shape(box(846, 48, 1134, 64), "#b7a478")
    c.shape(box(846, 336, 1134, 356), "#b7a478")
    c.shape([(650, 0), (658, 0), (658, 100), (650, 100)], "#5d5138")
    c.glow(654, 160, 420, "#fff0c2", 0.75)
    c.shape([(600, 160), (630, 96), (680, 96), (710, 160)], "#8e9a8b", "#707c6e")
    c.shape(oval(654, 162, 50, 12), "#fff6d8", rough=0)
    c.shape(box(-10, 600, 1210, 640), "#a88c62", "#8b7350", rough=1.4)
    c.shape(box(-10, 640, 1210, 910), "#75684e", "#544a38", rough=1.2)
    c.shape(box(150, 600, 560, 910), "#d5cfbf", "#aaa494", rough=1.2)
    c.shape(box(190, 700, 520, 880), "#7f7a6d", "#5b574e", rough=1)
    for number in range(4):
        c.shape(oval(210 + number * 96, 662, 17, 17), "#59564e")
    c.shape(box(190, 592, 530, 606), "#3b3a37")
    c.shape([(228, 470), (400, 470), (392, 594), (236, 594)], "#7f8b8e", "#525c60", across=True, rough=1)
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
    c.shape(curve([(560, 910), (570, 700), (600, 560), (680, 510), (800, 512), (880, 570), (900, 720), (910, 910)]), "#9aa19b", "#717a77",
            rough=1.5)
    c.stroke([(610, 570), (480, 600), (410, 480)], "#8d958f", 62)
    c.stroke([(440, 520), (410, 484), (392, 458)], "#dbbda4", 32)
    c.stroke([(396, 470), (360, 420), (330, 480)], "#9b7a52", 9)
    c.stroke([(640, 760), (740, 780), (870, 756)], "#d9cfb9", 20, alpha=0.9)
    c.stroke([(742, 770), (720, 850), (700, 900)], "#d9cfb9", 18, alpha=0.9)
    hair(c, [(730, 270), (650, 300), (616, 400), (620, 520), (606, 650)],
         [(744, 268), (826, 300), (858, 400), (850, 520), (876, 650)], HAIR["red"], strands=110, width=3.6, sun=0.55)
    for _ in range(11):
        x = c.hand.uniform(250, 400)
        c.stroke([(x, 440), (x + c.hand.uniform(-50, 50), 300), (x + c.hand.uniform(-90, 130), c.hand.uniform(60, 180))],
                 "#fbf5e6", c.hand.uniform(30, 70), alpha=0.22, soft=14)
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
            c.stroke([(x + rib * size * 0.5, y - size * 0.78), (x + rib * size * 1.1, y), (x + rib * size * 0.5, y + size * 0.78)],
                     "#e5b994", 5, alpha=0.55)
        c.glow(x, y + 8, size * 0.7, "#fbe6bd", 0.75)
        for end in (y - size * 0.84, y + size * 0.72):
            c.shape(box(x - size * 0.34, end, x + size * 0.34, end + size * 0.12), "#3a2c28")
        for tassel in range(5):
            c.line([(x - 8 + tassel * 4, y + size * 0.84), (x - 10 + tassel * 5, y + size * 1.25)], "#8f6553", 2.4)
    # Two people in profile, at the far ends of the table.
    c.shape(curve([(70, 920), (80, 690), (150, 590), (270, 590), (340, 690), (360, 920)]), "#333438", "#232427", rough=1.5)
    c.shape(curve([(200, 400), (270, 404), (296, 450), (300, 486), (316, 512), (300, 522), (298, 556), (262, 570), (246, 610),
                   (190, 600), (180, 480)]), "#6f594e", "#b8957c", across=True, rough=1)
    c.shape(curve([(290, 418), (260, 372), (190, 366), (146, 412), (146, 500), (186, 560), (206, 510), (222, 452)]), "#2c2423",
            "#211b1a", rough=1.5)
    c.shape(curve([(850, 920), (870, 700), (930, 600), (1040, 596), (1120, 690), (1140, 920)]), "#6b615c", "#47403d", rough=1.5)
    c.shape(curve([(1010, 410), (940, 414), (914, 456), (908, 488), (894, 512), (908, 524), (912, 556), (944, 572), (960, 616),
                   (1020, 606), (1030, 480)]), "#d0ac90", "#8c7161", across=True, rough=1)
    hair(c, [(940, 380), (914, 420), (950, 500), (960, 600), (940, 720)],
         [(980, 364), (1074, 396), (1096, 500), (1092, 620), (1120, 740)], HAIR["blue"], strands=80, width=3.2, sun=0.4)
    for x, y in ((286, 478), (926, 480)):
        c.stroke([(x - 8, y), (x, y + 4), (x + 8, y + 1)], "#453530", 4, alpha=0.8)
    c.shape(curve([(-60, 960), (100, 730), (600, 700), (1100, 730), (1260, 960)]), "#c8b596", "#8e7a61", rough=1.5)
    c.shape(oval(600, 790, 330, 64), "#f2e1b8", alpha=0.5, soft=26, rough=0)
    for x in (360, 850):
        c.shape(oval(x, 820, 96, 30), "#efe9da", "#cfc6b2", rough=1)
        c.shape(oval(x, 816, 60, 17), "#b79c72", "#8f7753", rough=1)
        for stick in (0, 11):
            c.line([(x + 110 + stick, 850), (x + 134 + stick, 770)], "#5b3f31", 4)
    c.shape(curve([(560, 790), (556, 730), (590, 706), (634, 712), (650, 750), (640, 790)]), "#6e7d80", "#4b585b")
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
    c.shape([(430, 300), (866, 276), (890, 724), (448, 742)], "#7e7c70", alpha=0.35, soft=14)
    paper = [(420, 288), (856, 266), (876, 706), (790, 722), (436, 728)]
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
    c.shape([(262, 484), (356, 490), (346, 850), (250, 842)], "#6f6d63", alpha=0.4, soft=8)
    c.shape([(254, 476), (348, 482), (338, 842), (242, 834)], "#f0ebdd", rough=1)
    for row in range(4):
        x, y = 260 - row * 3, 486 + row * 88
        c.shape([(x, y), (x + 76, y + 4), (x + 73, y + 80), (x - 3, y + 76)], "#77838a", "#99a1a3", rough=0.8)
        lean = (-6, 8, 0, -10)[row]
        c.shape(oval(x + 36 + lean, y + 44, 25, 30), HAIR["blue"], dark(HAIR["blue"], 0.25), rough=0.8)
        c.shape(oval(x + 37 + lean, y + 48, 15, 19), "#dcc0a8", rough=0.5)
        c.shape(curve([(x + 6 + lean, y + 78), (x + 18 + lean, y + 66), (x + 54 + lean, y + 66), (x + 68 + lean, y + 80)]), "#6d665f")
    c.shape(oval(301, 474, 27, 27), "#8b9272", "#6c7357", rough=0.8)
    c.shape([(940, -20), (1090, -20), (1090, 920), (760, 920)], "#fbf6e6", alpha=0.16, soft=18)
    return c


def train_window(seed: int) -> Canvas:
    """The train back: fields going by, and in the glass, her."""
    c = Canvas(seed)
    c.wash([(0, "#b5bfc2"), (1, "#ded7c8")], 0, 470, body=0.14)
    c.clouds("#e9e4d8", 40, 440, alpha=0.6, amount=0.5, flat=4)
    for number, tone in enumerate(("#98a1a0", "#7c837d", "#67695f")):
        line = [(x, 450 + number * 44 - c.hand.uniform(0, 46 - number * 8)) for x in range(-60, 1290, 50)]
        c.shape([*curve(line, closed=False), (1260, 720), (-60, 720)], tone, light(tone, 0.25), rough=1.5)
    for _ in range(16):
        x = c.hand.uniform(80, 1150)
        y = c.hand.uniform(530, 560)
        tall = c.hand.uniform(70, 170)
        c.stroke([(x, y), (x + 2, y - tall * 0.5), (x + 5, y - tall)], "#4f5250", 6)
        for branch in range(6):
            side = 1 if branch % 2 else -1
            c.stroke([(x + 2, y - tall * (0.4 + branch * 0.08)), (x + side * tall * 0.14, y - tall * (0.55 + branch * 0.07)),
                      (x + side * tall * 0.22, y - tall * (0.72 + branch * 0.06))], "#5b5e5b", 3)
    c.shape(box(-10, 560, 1210, 720), "#a39d8b", "#857e6d", rough=1)
    for number in range(14):
        y = c.hand.uniform(575, 700)
        c.stroke([(c.hand.uniform(-100, 500), y), (600, y - 3), (c.hand.uniform(700, 1300), y)], c.hand.choice(("#cdc7b7", "#77725f")),
                 7, alpha=0.5, soft=2)
    for x in (150, 820):
        c.shape(box(x, 120, x + 14, 640), "#6c6b66", alpha=0.75, soft=3)
        c.line(curve([(x - 700, 150), (x - 340, 196), (x, 150), (x + 340, 196), (x + 680, 150)], closed=False), "#7f8180", 2)
    # Her reflection: half a face, looking out.
    c.shape(curve([(560, 740), (580, 640), (660, 590), (800, 590), (900, 650), (930, 740)]), "#8f7866", alpha=0.62, soft=4)
    c.shape(oval(720, 440, 88, 116, tilt=0.06), "#e3cbb5", alpha=0.72, soft=3)
    c.shape(curve([(760, 340), (810, 420), (806, 520), (760, 552), (776, 450)]), "#a98c7a", alpha=0.45, soft=9)
    left = [(700, 300), (616, 344), (604, 450), (610, 560), (584, 680)]
    hair(c, left, [(716, 298), (660, 350), (640, 450), (660, 560), (668, 680)], HAIR["green"], strands=46, width=3.2, sun=0.45)
    hair(c, [(712, 298), (776, 350), (800, 450), (790, 560), (786, 680)], [(730, 298), (830, 340), (846, 460), (850, 570), (880, 680)],
         HAIR["green"], strands=46, width=3.2, sun=0.45)
    c.shape(curve([(624, 420), (640, 330), (716, 290), (800, 326), (816, 420), (770, 362), (680, 360)]), light(HAIR["green"], 0.08),
            HAIR["green"], rough=1)
    for eye in (690, 750):
        c.stroke([(eye - 14, 440), (eye, 446), (eye + 14, 440)], "#59483f", 4.5, alpha=0.8)
    c.stroke([(720, 450), (714, 480), (724, 486)], "#b08e79", 4, alpha=0.7)
    c.stroke([(700, 516), (720, 521), (740, 515)], "#a5675a", 6, alpha=0.75)
    c.shape([(120, 90), (420, 90), (180, 720), (60, 720)], "#f6f3ea", alpha=0.2, soft=8)
    wall = "#7f8682"
    for piece in (box(-10, -10, 1210, 78), box(-10, -10, 76, 910), box(1124, -10, 1210, 910), box(-10, 700, 1210, 910)):
        c.shape(piece, light(wall, 0.12), dark(wall, 0.12), rough=0.8)
    c.line([*curve([(82, 110), (110, 84)], closed=False), (1090, 84), (1118, 112), (1118, 668), (1090, 696), (110, 696), (82, 668), (82, 110)],
           "#4e5452", 10)
    c.shape(box(40, 716, 1160, 744), "#a5aaa3", "#6c736f")
    c.shape(curve([(-60, 960), (-40, 800), (120, 772), (420, 780), (520, 830), (540, 960)]), "#5a4a45", "#423733", rough=1.5)
    c.stroke([(-20, 806), (250, 786), (480, 812)], "#8b756b", 9, alpha=0.7)
    return c


