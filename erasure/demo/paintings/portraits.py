"""Her, close: in the window, in the mirror, turned away. The face is barely there; the hair is."""

from __future__ import annotations

from collections.abc import Sequence

from erasure.demo.paintings.brush import Canvas, Color, Point, box, curve, dark, light, mix, oval
from erasure.demo.paintings.figures import HAIR, hair
from erasure.demo.paintings.rooms import SPINES

Outline = Sequence[Point]


def _panes(c: Canvas, left: float, top: float, right: float, bottom: float, bars: tuple[int, int], wood: Color) -> None:
    """A window with winter behind it."""
    frame = box(left, top, right, bottom)
    c.shape(frame, "#d3dadb", "#ece8dc", rough=0.8)
    mid = (left + right) / 2
    for number, tone in enumerate(("#aeb7b8", "#8f9797")):
        y = bottom - (bottom - top) * (0.3 - number * 0.12)
        c.shape(curve([(left - 40, y), (left + 60, y - 34 + number * 20), (mid, y - 10), (right - 50, y - 40), (right + 40, y),
                       (right + 40, bottom + 40), (left - 40, bottom + 40)]), tone, light(tone, 0.4), within=frame)
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
    for side in (box(left - 26, top - 26, left, bottom + 26), box(right, top - 26, right + 26, bottom + 26),
                 box(left - 26, top - 26, right + 26, top), box(left - 40, bottom, right + 40, bottom + 34)):
        c.shape(side, light(wood, 0.3), wood, rough=1)


def _profile(c: Canvas, x: float, y: float, u: float, side: int, near: Color, far: Color) -> None:
    """A face from the side around (x, y), `u` from brow to chin, looking left (-1) or right (1)."""
    def at(a: float, b: float) -> Point:
        return (x + side * a * u, y + b * u)

    c.shape([at(-0.24, 0.3), at(0.22, 0.5), at(0.14, 1.1), at(-0.4, 1.1)], dark(far, 0.12), rough=0.8)
    face = [at(-0.5, -0.5), at(0.2, -0.52), at(0.38, -0.3), at(0.4, -0.1), at(0.385, -0.02), at(0.45, 0.1), at(0.5, 0.2),
            at(0.47, 0.245), at(0.41, 0.25), at(0.41, 0.29), at(0.445, 0.34), at(0.41, 0.385), at(0.43, 0.43), at(0.395, 0.47),
            at(0.4, 0.56), at(0.32, 0.66), at(0.16, 0.64), at(-0.2, 0.46), at(-0.5, 0.3)]
    colors = (far, near) if side > 0 else (near, far)
    c.shape(curve(face, steps=4), *colors, across=True, rough=0.7)
    c.shape(oval(*at(0.16, 0.26), u * 0.13, u * 0.09), "#c98f7c", alpha=0.3, soft=u * 0.06, rough=0)
    c.stroke([at(0.2, 0.02), at(0.28, 0.045), at(0.35, 0.03)], "#54433b", u * 0.026, alpha=0.85)
    c.stroke([at(0.2, -0.12), at(0.3, -0.15), at(0.38, -0.12)], "#7a5d4c", u * 0.024, alpha=0.6)
    c.stroke([at(0.33, 0.345), at(0.39, 0.345), at(0.43, 0.345)], "#a05f54", u * 0.032, alpha=0.75)


def _face(c: Canvas, x: float, y: float, u: float, lit: int, skin: Color = "#dcbfa6") -> None:
    """A face from the front around (x, y), `u` from the middle to the chin, lit from the left (-1) or right (1)."""
    shade = dark(skin, 0.18)
    c.shape([(x - u * 0.3, y + u * 0.5), (x + u * 0.3, y + u * 0.5), (x + u * 0.36, y + u * 1.5), (x - u * 0.36, y + u * 1.5)],
            dark(skin, 0.24), dark(skin, 0.1), rough=0.8)
    outline = curve([(x - u * 0.68, y - u * 0.3), (x - u * 0.45, y - u * 0.9), (x + u * 0.45, y - u * 0.9), (x + u * 0.68, y - u * 0.3),
                     (x + u * 0.6, y + u * 0.36), (x + u * 0.25, y + u * 0.94), (x, y + u), (x - u * 0.25, y + u * 0.94),
                     (x - u * 0.6, y + u * 0.36)])
    c.shape(outline, skin if lit < 0 else shade, shade if lit < 0 else skin, across=True, rough=0.8)
    c.shape(curve([(x - lit * u * 0.1, y - u * 0.5), (x - lit * u * 0.02, y + u * 0.3), (x - lit * u * 0.2, y + u),
                   (x - lit * u * 0.9, y + u), (x - lit * u * 0.9, y - u)]), dark(skin, 0.4), alpha=0.28, soft=u * 0.16,
            within=outline)
    for side in (-1, 1):
        c.shape(oval(x + side * u * 0.42, y + u * 0.36, u * 0.17, u * 0.12), "#c98f7c", alpha=0.28, soft=u * 0.08, rough=0)
        c.shape(oval(x + side * u * 0.32, y + u * 0.0, u * 0.17, u * 0.09), "#8b6f60", alpha=0.28, soft=u * 0.05, rough=0)
        c.stroke([(x + side * u * 0.18, y + u * 0.03), (x + side * u * 0.32, y + u * 0.07), (x + side * u * 0.46, y + u * 0.02)],
                 "#54433b", u * 0.055, alpha=0.85)
    c.stroke([(x - lit * u * 0.04, y + u * 0.02), (x - lit * u * 0.12, y + u * 0.36), (x + lit * u * 0.04, y + u * 0.42)],
             dark(skin, 0.35), u * 0.05, alpha=0.55)
    c.stroke([(x - u * 0.17, y + u * 0.635), (x, y + u * 0.665), (x + u * 0.17, y + u * 0.625)], "#a05f54", u * 0.085, alpha=0.75)


def portrait_green(seed: int) -> Canvas:
    """In the window, green: from the side, a cup in both hands."""
    c = Canvas(seed, upright=True)
    c.wash([(0, "#a9aaa0"), (1, "#8c897d")], body=0.3)
    _panes(c, 480, 90, 940, 800, (2, 3), "#c9c3b2")
    c.shape([(480, 90), (480, 800), (-20, 1210), (-20, 500)], "#f6f0df", alpha=0.16, soft=30)
    c.shape(box(-10, 1040, 910, 1210), "#8a7358", "#6a5641", rough=1.5)
    c.shape(curve([(40, 1230), (70, 1000), (150, 860), (290, 800), (430, 820), (530, 920), (570, 1060), (590, 1230)]), "#97917f",
            "#716c60", across=True, rough=2, body=0.35)
    c.stroke([(470, 900), (560, 1040), (640, 1010)], "#8f8977", 96)
    c.shape(curve([(250, 800), (330, 830), (420, 812), (450, 850), (340, 880), (240, 850)]), "#a9a391", "#8a8474")
    _profile(c, 350, 560, 260, 1, "#ead2bb", "#b8977f")
    hair(c, [(330, 366), (220, 390), (150, 520), (140, 720), (110, 960)],
         [(350, 366), (356, 430), (330, 560), (320, 720), (310, 930)], HAIR["green"], strands=120, width=4, sun=0.4, ragged=44)
    hair(c, [(330, 362), (300, 420), (290, 540), (270, 700), (270, 830)],
         [(350, 360), (440, 400), (410, 500), (352, 620), (346, 800)], HAIR["green"], strands=54, width=4, sun=0.9, ragged=30)
    c.stroke([(606, 1002), (640, 960), (690, 968)], "#dcbfa6", 44)
    c.shape([(640, 930), (756, 930), (744, 1060), (654, 1060)], "#e6dfcd", "#b8b09c", across=True, rough=1)
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
    c.shape([(-20, 200), (330, 60), (900, 640), (900, 1210), (300, 1210)], "#f4ead2", alpha=0.2, soft=40)
    for x in (560, 640, 720, 800):
        c.shape(box(x, 560, x + 22, 1000), "#5d4c3a", "#4b3d2f", rough=1.2)
    c.shape(curve([(510, 600), (540, 500), (690, 470), (850, 500), (880, 600), (850, 610), (690, 560), (540, 610)]), "#6f5b45",
            "#54442f", rough=1.4)
    c.shape(curve([(140, 1230), (170, 1010), (270, 900), (440, 850), (620, 890), (720, 1000), (760, 1230)]), "#7c8286", "#4e545a",
            across=True, rough=2, body=0.35)
    hair(c, [(430, 300), (290, 360), (250, 540), (262, 720), (226, 930)],
         [(450, 300), (600, 350), (640, 540), (626, 720), (660, 940)], dark(HAIR["red"], 0.16), strands=60, width=4, sun=0.1)
    _face(c, 440, 600, 200, -1, "#dfc4ac")
    hair(c, [(410, 296), (282, 350), (236, 540), (252, 720), (196, 960)],
         [(424, 292), (390, 380), (316, 500), (318, 700), (300, 960)], HAIR["red"], strands=64, width=4.4, sun=0.85, ragged=40)
    hair(c, [(416, 292), (520, 390), (566, 510), (560, 700), (570, 960)],
         [(440, 290), (612, 340), (660, 540), (640, 720), (694, 960)], HAIR["red"], strands=64, width=4.4, sun=0.35, ragged=40)
    c.shape(curve([(190, 1230), (210, 1160), (330, 1120), (520, 1130), (640, 1180), (660, 1230)]), "#cfae95", "#b2917b", rough=1.4)
    return c


def portrait_orange(seed: int) -> Canvas:
    """Orange. Odd seeds: the bathroom mirror, a towel. Even ones: in the window, too quick for the film."""
    return _mirror(seed) if seed % 2 else _blurred(seed)


def _mirror(seed: int) -> Canvas:
    c = Canvas(seed, upright=True)
    c.wash([(0, "#c9cfc9"), (1, "#b1b8b3")], body=0.2)
    for row in range(13):
        for column in range(10):
            c.shape(box(column * 94 - 20, row * 94 - 10, column * 94 + 69, row * 94 + 79), mix("#cdd3cc", "#b9c2be", c.hand.random()),
                    rough=0.7, body=0)
    c.glow(450, 60, 380, "#fff6dc", 0.7)
    for x in (330, 450, 570):
        c.shape(oval(x, 66, 32, 32), "#fff5d6", rough=0.6)
    c.shape(box(196, 130, 704, 800), "#8b7a63", "#6f604c", rough=1.2)
    glass = box(220, 154, 680, 776)
    c.shape(glass, "#a8b1b0", "#8d9796", rough=0.8)
    c.shape(curve([(250, 800), (280, 700), (380, 650), (530, 650), (630, 700), (660, 800)]), "#efe9da", "#cfc7b5", within=glass,
            rough=1.5)
    _face(c, 452, 470, 128, -1)
    hair(c, [(436, 270), (350, 310), (324, 430), (330, 560), (306, 690)],
         [(446, 268), (420, 330), (372, 420), (372, 550), (364, 690)], HAIR["orange"], strands=50, width=3.6, sun=0.7)
    hair(c, [(440, 268), (500, 330), (536, 420), (528, 550), (540, 690)],
         [(460, 266), (560, 310), (582, 430), (574, 560), (600, 690)], HAIR["orange"], strands=50, width=3.6, sun=0.5)
    c.shape(curve([(320, 690), (420, 664), (520, 672), (600, 700), (560, 770), (360, 770)]), "#f1ecdf", "#d3cbb8", within=glass)
    c.shape([(240, 154), (340, 154), (230, 600), (220, 600)], "#f4f6f2", alpha=0.28, soft=6)
    c.shape([(600, 776), (680, 776), (680, 520)], "#f4f6f2", alpha=0.18, soft=6)
    c.shape(curve([(90, 960), (450, 930), (810, 960), (770, 1080), (600, 1190), (300, 1190), (130, 1080)]), "#f0ede3", "#bdbcb2",
            rough=1.5)
    c.shape(oval(450, 968, 300, 40), "#b9bdb8", "#d6d8d1", rough=1)
    c.shape(box(430, 860, 470, 950), "#9ba3a3", "#6d7677", across=True)
    c.stroke([(450, 870), (450, 836), (452, 900)], "#858e8f", 24)
    # The bowl that he holds, with the dye in it.
    c.shape(curve([(560, 1000), (840, 1000), (816, 1090), (740, 1130), (660, 1130), (584, 1090)]), "#8d9a9c", "#5f6c6f", rough=1.2)
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
        c.shape(curve([(260 + shift, 1230), (270 + shift, 960), (330 + shift, 820), (450 + shift, 770), (600 + shift, 830),
                       (660 + shift, 980), (690 + shift, 1230)]), "#7e8688", "#5f676b", alpha=alpha, soft=5 + 3 * (3 - number), rough=2)
        c.shape(oval(470 + shift, 590, 108, 144, tilt=0.1), "#dcc1a9", alpha=alpha, soft=5 + 2 * (3 - number), rough=0)
        mass = [(470, 380), (370, 420), (322, 560), (300, 740), (330, 800), (384, 640), (400, 510), (500, 470), (560, 540), (580, 680),
                (600, 820), (680, 760), (650, 540), (590, 420)]
        c.shape(curve([(x + shift - (y - 380) * 0.06 * (3 - number), y) for x, y in mass]), HAIR["orange"], dark(HAIR["orange"], 0.15),
                alpha=min(1, alpha * 1.12), soft=4 + 2 * (3 - number), rough=2)
    for number in range(70):
        y = c.hand.uniform(410, 830)
        x = c.hand.choice((350, 620)) + c.hand.uniform(-60, 60)
        c.stroke([(x - 190, y + 14), (x - 70, y), (x + 50, y - 6)], light(HAIR["orange"], 0.1 + 0.5 * (number % 3) / 3), 7,
                 alpha=0.2, soft=2)
    c.shape([(-10, 1060), (910, 1020), (910, 1210), (-10, 1210)], "#6c5d4a", "#57493a", soft=4)
    return c


def portrait_blue(seed: int) -> Canvas:
    """Blue on the tiles: she leans over the tub and rinses; the water runs blue."""
    c = Canvas(seed, upright=True)
    for row in range(10):
        for column in range(8):
            c.shape(box(column * 124 - 30, row * 92 - 20, column * 124 + 90, row * 92 + 68), mix("#cfd0c6", "#b4bab4", c.hand.random()),
                    rough=0.7, body=0.1)
    c.glow(720, 120, 460, "#fbf3de", 0.6)
    c.wash([(0, "#9d9a90"), (1, "#7d7a72")], 1080, 1200, body=0.3)
    c.shape(curve([(690, 1230), (700, 900), (640, 700), (560, 560), (620, 430), (760, 420), (860, 520), (940, 700), (940, 1230)]),
            "#8d8579", "#655f57", rough=2, body=0.35)
    c.shape(curve([(540, 560), (600, 440), (700, 420), (720, 500), (640, 610)]), "#e5d9c3", "#c4b79e", rough=1.4)
    c.shape(oval(500, 560, 104, 132, tilt=0.9), "#d9bba2", "#b6957e", rough=1)
    hair(c, [(600, 430), (470, 440), (360, 540), (300, 720), (296, 960)],
         [(640, 520), (580, 600), (520, 680), (474, 800), (452, 970)], HAIR["blue"], strands=150, width=4.4, sun=0.5, ragged=60)
    c.stroke([(700, 640), (600, 760), (520, 660)], "#d3b399", 64)
    c.stroke([(540, 690), (510, 650), (494, 610)], "#dfc2a9", 44)
    c.shape(curve([(-60, 900), (100, 880), (700, 890), (780, 930), (760, 980), (700, 1130), (500, 1180), (-60, 1190)]), "#f1efe6", "#b9bab3",
            rough=1.5)
    c.shape(curve([(-60, 930), (200, 912), (600, 920), (690, 946), (560, 972), (-60, 980)]), "#a7b0b0", "#c7cdcb", rough=1)
    for number in range(14):
        x = 300 + number * 12
        c.stroke([(x, 900), (x + c.hand.uniform(-8, 8), 935), (x + c.hand.uniform(-30, 10), 962)], HAIR["blue"], 8, alpha=0.8)
    c.shape(curve([(160, 944), (330, 930), (500, 944), (470, 964), (260, 968)]), HAIR["blue"], alpha=0.55, soft=5)
    for _ in range(34):
        x, y = c.hand.uniform(40, 500), c.hand.uniform(180, 840)
        size = c.hand.uniform(3, 12)
        c.shape(oval(x, y, size, size), HAIR["blue"], alpha=0.85, rough=1)
        if size > 8:
            c.stroke([(x, y), (x + 1, y + 30), (x, y + c.hand.uniform(50, 120))], HAIR["blue"], 5, alpha=0.7)
    c.shape([(60, 600), (120, 600), (128, 880), (52, 880)], "#9d8f7c", "#776b5b", across=True, rough=1)
    c.shape([(72, 560), (108, 560), (110, 602), (70, 602)], "#5c5347")
    return c


def hair_red(seed: int) -> Canvas:
    """Red, without warning: turned away, laughing, among the shelves."""
    c = Canvas(seed, upright=True)
    c.wash([(0, "#b59f80"), (1, "#7f6b52")], body=0.25)
    for row in range(6):
        floor = 170 + row * 200
        x = -10.0
        while x < 910:
            wide = c.hand.uniform(28, 60)
            tone = c.hand.choice(SPINES)
            c.shape(box(x, floor - c.hand.uniform(120, 168), x + wide, floor), light(tone, 0.15), dark(tone, 0.15), across=True, rough=1)
            x += wide
        c.shape(box(-10, floor, 910, floor + 24), "#5f4d3a")
    c.glow(190, 160, 460, "#fbefce", 0.6)
    c.blurred(9)
    c.shape(curve([(160, 1230), (200, 1040), (330, 930), (520, 900), (720, 960), (830, 1080), (860, 1230)]), "#6f7a7c", "#454e53",
            rough=2, body=0.4)
    c.stroke([(300, 990), (270, 1090), (262, 1220)], "#3b4449", 13, alpha=0.6)
    # Only an edge of the cheek, and the corner of a laugh.
    c.shape(curve([(330, 520), (282, 600), (290, 690), (340, 760), (430, 780), (460, 560)]), "#e6cab2", "#c39f88", rough=1)
    c.stroke([(304, 668), (322, 690), (350, 684)], "#99574d", 9, alpha=0.85)
    c.shape(oval(346, 640, 34, 24), "#cd907d", alpha=0.4, soft=10)
    hair(c, [(500, 250), (360, 290), (330, 480), (420, 700), (330, 1020)],
         [(540, 246), (720, 300), (780, 520), (800, 760), (870, 1050)], HAIR["red"], strands=190, width=5.4, sun=0.6, ragged=70)
    for _ in range(16):
        y = c.hand.uniform(560, 840)
        c.stroke([(740, y - 160), (820, y - 20), (c.hand.uniform(850, 900), y + c.hand.uniform(-80, 80))], light(HAIR["red"], 0.2), 5,
                 alpha=0.75)
    c.stroke([(430, 300), (356, 400), (372, 560), (440, 700)], light(HAIR["red"], 0.3), 14, alpha=0.6)
    return c


def hair_orange(seed: int) -> Canvas:
    """Before the party: from behind, a dress in each hand."""
    c = Canvas(seed, upright=True)
    c.wash([(0, "#a99a94"), (1, "#8d807b")], body=0.25)
    for x in range(0, 900, 60):
        c.shape(box(x, -10, x + 26, 960), "#bcaea6", alpha=0.5, rough=1)
    c.wash([(0, "#75614f"), (1, "#5b4a3d")], 960, 1200, body=0.4)
    c.shape(box(-10, 940, 910, 964), "#cfc4b4", "#b4a898")
    c.glow(780, 190, 330, "#fbe7c0", 0.65)
    c.shape([(730, 230), (756, 130), (824, 130), (850, 230)], "#e9d9b6", "#cdb88f")
    c.line([(790, 230), (790, 960)], "#5f5248", 8)

    def dress(x: float, tone: Color, flare: float, dots: bool) -> None:
        c.line([(x, 392), (x, 420)], "#5c5349", 5)
        c.line([(x - 70, 462), (x, 420), (x + 70, 462)], "#6d5b49", 7)
        shape = [(x - 46, 452), (x - 18, 500), (x + 18, 500), (x + 46, 452), (x + 62, 520), (x + 42, 620), (x + flare, 930),
                 (x, 950), (x - flare, 930), (x - 42, 620), (x - 62, 520)]
        c.shape(curve(shape), light(tone, 0.14), dark(tone, 0.22), rough=1.4, body=0.35)
        for fold in (-0.5, 0.0, 0.5):
            c.stroke([(x + fold * 50, 640), (x + fold * flare, 780), (x + fold * flare * 1.4, 920)], dark(tone, 0.35), 9, alpha=0.5)
        if dots:
            for _ in range(46):
                c.shape(oval(c.about(x, 60), c.hand.uniform(540, 900), 5, 5), light(tone, 0.6), rough=0.4)

    dress(170, "#6c7d7d", 130, dots=False)
    dress(740, "#a08a86", 112, dots=True)
    c.shape(curve([(320, 1230), (330, 1000), (326, 800), (380, 690), (530, 690), (580, 800), (580, 1000), (600, 1230)]), "#efe7d6", "#c3b8a3",
            rough=1.5)
    for side in (-1, 1):
        x = 455 + side * 90
        c.stroke([(x, 720), (x + side * 110, 640), (x + side * 184, 440)], "#d9bca3", 54)
        c.shape(oval(455 + side * 284, 428, 26, 30), "#d9bca3")
    hair(c, [(444, 350), (356, 380), (326, 500), (330, 640), (296, 820)],
         [(464, 350), (556, 380), (586, 500), (576, 640), (620, 830)], HAIR["orange"], strands=120, width=4.2, sun=0.6, ragged=44)
    return c


def train_red(seed: int) -> Canvas:
    """The train to Montauk, again: asleep against the glass."""
    c = Canvas(seed)
    c.wash([(0, "#a9b6bc"), (1, "#dcd8cc")], 0, 620, body=0.15)
    c.clouds("#eae7dd", 0, 500, alpha=0.6, amount=0.5, flat=3)
    c.shape([(-10, 470), (700, 440), (700, 640), (-10, 660)], "#7d8c93", "#93a0a3", soft=3)
    c.shape([(-10, 540), (700, 520), (700, 700), (-10, 700)], "#b0a58f", "#9c917b", soft=4)
    for number in range(30):
        y = c.hand.uniform(460, 690)
        c.stroke([(c.hand.uniform(-100, 100), y + 6), (300, y), (c.hand.uniform(450, 760), y - 8)],
                 c.hand.choice(("#d6cebb", "#7f8585", "#a69d88", "#e4dfd2")), 8, alpha=0.4, soft=3)
    c.shape([(60, 0), (210, 0), (90, 700), (-20, 700)], "#f7f5ec", alpha=0.25, soft=10)
    wall = "#77807f"
    c.shape([(690, -10), (1210, -10), (1210, 910), (640, 910)], light(wall, 0.12), dark(wall, 0.2), across=True, rough=1)
    c.shape([(664, -10), (716, -10), (690, 700), (630, 700)], "#4c5352", "#616967", across=True, rough=1)
    c.shape([(-10, 690), (680, 668), (676, 740), (-10, 770)], "#8b9390", "#5f6765", rough=1)
    c.shape([(-10, 762), (672, 736), (660, 910), (-10, 910)], light(wall, 0.05), dark(wall, 0.25), rough=1)
    c.shape(curve([(820, 950), (800, 560), (850, 330), (960, 270), (1240, 280), (1260, 950)]), "#5f4b45", "#43352f", rough=2, body=0.35)
    c.stroke([(850, 600), (846, 420), (930, 310)], "#8a7268", 9, alpha=0.6)
    # Her head leans left onto the glass.
    c.shape(curve([(480, 950), (500, 800), (600, 700), (760, 660), (920, 720), (1000, 830), (1020, 950)]), "#8a8279", "#5c5650", rough=2,
            body=0.35)
    c.shape(curve([(560, 730), (640, 690), (800, 690), (860, 740), (780, 800), (620, 800)]), "#b5a88f", "#8f836c", rough=2)
    _profile_asleep(c)
    hair(c, [(640, 300), (740, 270), (850, 340), (900, 520), (900, 760)],
         [(620, 330), (640, 380), (706, 470), (750, 600), (760, 800)], HAIR["red"], strands=130, width=4, sun=0.45, ragged=50)
    hair(c, [(640, 300), (590, 330), (590, 400), (622, 470)], [(680, 290), (690, 350), (690, 430), (700, 520)], HAIR["red"], strands=40,
         width=3.6, sun=0.7, ragged=16)
    c.glow(560, 560, 80, "#f4f4ef", 0.4)
    return c


def _profile_asleep(c: Canvas) -> None:
    c.shape(curve([(640, 330), (590, 400), (566, 470), (560, 500), (536, 534), (552, 548), (558, 566), (550, 580), (562, 592), (556, 610),
                   (580, 640), (640, 650), (720, 700), (780, 560), (740, 380)], steps=5), "#ead0ba", "#b08f7a", across=True, rough=0.8)
    c.stroke([(584, 488), (604, 500), (628, 496)], "#54433b", 6, alpha=0.85)
    c.stroke([(580, 446), (604, 440), (634, 448)], "#7a5d4c", 6, alpha=0.5)
    c.stroke([(556, 581), (572, 584), (586, 582)], "#a05f54", 7, alpha=0.7)
    c.shape(oval(614, 556, 30, 22), "#cd907d", alpha=0.35, soft=10)
