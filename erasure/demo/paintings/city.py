"""Streets, roofs and roads, mostly at night."""

from __future__ import annotations

import math

from erasure.demo.paintings.brush import Canvas, Color, Point, box, curve, dark, light, mix, oval
from erasure.demo.paintings.figures import HAIR, hair, man, small

LAMP = "#f1cf92"


def _window(c: Canvas, left: float, top: float, wide: float, tall: float, lit: Color | None, wall: Color) -> None:
    if lit:
        c.glow(left + wide / 2, top + tall / 2, tall * 1.1, lit, 0.4)
        c.shape(box(left, top, left + wide, top + tall), light(lit, 0.15), dark(lit, 0.2), rough=0.8, body=0.3)
        if c.hand.random() < 0.45:
            c.shape(box(left, top, left + wide, top + tall * c.hand.uniform(0.2, 0.55)), dark(lit, 0.25), alpha=0.7)
        if c.hand.random() < 0.22:
            at = left + wide * c.hand.uniform(0.3, 0.7)
            c.shape(curve([(at - wide * 0.24, top + tall), (at - wide * 0.2, top + tall * 0.62),
                           (at - wide * 0.1, top + tall * 0.4), (at + wide * 0.1, top + tall * 0.4),
                           (at + wide * 0.2, top + tall * 0.62), (at + wide * 0.24, top + tall)]),
                    dark(lit, 0.72), alpha=0.85)
    else:
        c.shape(box(left, top, left + wide, top + tall), dark(wall, 0.45), dark(wall, 0.25), rough=0.8)
    c.line([(left, top + tall * 0.5), (left + wide, top + tall * 0.5)], dark(wall, 0.3), max(1.0, wide * 0.06))
    c.shape(box(left - wide * 0.12, top + tall, left + wide * 1.12, top + tall * 1.08), light(wall, 0.3), rough=0.5)


def snow_street(seed: int) -> Canvas:
    """Her street at half past six: brownstones, a lamp, snow coming down, two small people."""
    c = Canvas(seed)
    c.wash([(0, "#3f4d60"), (1, "#8a8f98")], 0, 620, body=0.2)
    c.clouds("#6f7887", 0, 420, alpha=0.5, amount=0.6)
    x = -50.0
    walls = ("#5d5654", "#4c5560", "#6b5f58", "#565b60", "#66595a", "#4e5055")
    number = 0
    while x < 1200:
        wide = c.hand.uniform(190, 250)
        roof = c.hand.uniform(90, 190)
        wall = walls[number % len(walls)]
        c.shape(box(x, roof, x + wide, 640), wall, dark(wall, 0.25), rough=1.2, body=0.3)
        c.shape(box(x - 6, roof - 16, x + wide + 6, roof + 8), dark(wall, 0.2), rough=1)
        c.shape(curve([(x - 8, roof - 12), (x + wide * 0.3, roof - 24), (x + wide * 0.7, roof - 19),
                       (x + wide + 6, roof - 12), (x + wide + 4, roof - 7), (x - 6, roof - 7)]), "#dfe2e2")
        for row in range(3):
            for column in range(3):
                lit = LAMP if c.hand.random() < 0.36 else None
                _window(c, x + wide * (0.12 + column * 0.28), roof + 44 + row * 128, wide * 0.18, 78, lit, wall)
        c.shape(box(x + wide * 0.38, 530, x + wide * 0.6, 640), dark(wall, 0.4))
        for step in range(4):
            c.shape(box(x + wide * 0.34 - step * 5, 604 + step * 13, x + wide * 0.64 + step * 5, 618 + step * 13),
                    mix("#c9cdd0", wall, 0.25), rough=1)
        x += wide + 2
        number += 1
    c.wash([(0, "#aab2ba"), (0.3, "#cbd0d2"), (1, "#b4bdc8")], 640, 900, body=0.3)
    c.clouds("#8c98a8", 660, 900, alpha=0.45, amount=0.5, flat=6)
    for track in (0, 60):
        c.stroke([(-20, 836 + track * 0.4), (500, 800 + track * 0.5), (1230, 742 + track * 0.3)], "#8b96a5", 13,
                 alpha=0.6, soft=3)
    c.glow(900, 330, 300, LAMP, 0.5)
    c.shape(oval(890, 720, 210, 44), LAMP, alpha=0.42, soft=30, rough=0)
    c.shape([(894, 330), (902, 330), (905, 720), (891, 720)], "#2a2d33")
    c.stroke([(898, 340), (900, 300), (870, 292)], "#2a2d33", 8)
    c.shape([(880, 306), (916, 306), (924, 352), (872, 352)], "#f8e3b4", "#f1cf92")
    c.shape([(874, 306), (898, 284), (922, 306)], "#2a2d33")
    for at, tall in ((110, 420), (1100, 470)):
        c.stroke([(at, 720), (at + 8, 560), (at - 6, 330), (at + 14, 120)], "#2d3036", 26)
        for _ in range(11):
            y = c.hand.uniform(190, 480)
            side = c.hand.choice((-1, 1))
            tip = (at + side * c.hand.uniform(70, 170), y - c.hand.uniform(70, 160))
            c.stroke([(at, y), ((at + tip[0]) / 2, y - 60), tip], "#33363c", 8)
            c.stroke([(at + side * 8, y - 6), ((at + tip[0]) / 2, y - 65), tip], "#d5d9da", 3, alpha=0.7)
        del tall
    small(c, 640, 760, 170, "#8b817a", hair_color=HAIR["green"], legs="#c4a794", shadow="#5d6675", long=0.5)
    man(c, 724, 772, 186, "#333940")
    c.specks(420, "#f4f4f0", (0, 0, 1200, 900), (0.8, 2.4), alpha=0.85)
    c.specks(70, "#f8f8f4", (0, 0, 1200, 900), (3, 6.5), alpha=0.7, soft=2.4)
    return c


def lit_windows(seed: int) -> Canvas:
    """Up and down her street in a car: every window is somebody else's."""
    c = Canvas(seed)
    c.wash([(0, "#1d2735"), (1, "#39424f")], body=0.2)
    wall = "#2f3742"
    c.shape(box(-10, -10, 1210, 720), "#323a46", "#272e39", rough=0, body=0.35)
    for row in range(22):
        c.stroke([(-10, 20 + row * 32), (600, 22 + row * 32), (1210, 20 + row * 32)], "#252c36", 2.5, alpha=0.5)
    tints = (LAMP, "#e3b27c", "#cfd3b8", "#edd9ae", "#d69f72", "#9fb4bf")
    for row in range(3):
        for column in range(6):
            left, top = 52 + column * 194 + c.hand.uniform(-4, 4), 28 + row * 226
            lit = c.hand.choice(tints) if (row, column) not in ((1, 3), (0, 0), (2, 5)) else None
            _window(c, left, top, 112, 158, lit, wall)
            if lit and c.hand.random() < 0.5:
                for side in (0, 1):
                    edge = left if not side else left + 112
                    c.shape(curve([(edge, top), (edge + (34 if not side else -34), top + 6),
                                   (edge + (16 if not side else -16), top + 90), (edge, top + 156)]),
                            light(lit, 0.4), alpha=0.55)
            if c.hand.random() < 0.3:
                c.shape(box(left + 30, top + 160, left + 84, top + 178), "#4d4136")
                for stem in range(6):
                    c.stroke([(left + 38 + stem * 8, top + 162), (left + 36 + stem * 9, top + 142),
                              (left + 32 + stem * 10, top + 128)], "#4f5d4b", 7)
    # The sill of the car: a dark door, the mirror, a sleeve.
    c.shape(curve([(-40, 720), (300, 690), (700, 704), (1240, 676), (1240, 960), (-40, 960)]), "#171b22", "#0e1116")
    c.stroke([(-20, 722), (420, 690), (1220, 684)], "#56616e", 6, alpha=0.8)
    c.shape(curve([(70, 610), (250, 590), (300, 640), (276, 716), (90, 724), (50, 668)]), "#1b2028", "#12161b")
    c.shape(curve([(88, 628), (240, 610), (276, 646), (256, 696), (102, 704), (74, 668)]), "#4c5a68", "#2b333e")
    for x, y, tone in ((130, 655, LAMP), (168, 662, "#e3b27c"), (210, 650, LAMP)):
        c.glow(x, y, 22, tone, 0.9)
    c.clouds("#93a2b0", 0, 700, alpha=0.16, amount=0.5)
    return c


def skyline(seed: int) -> Canvas:
    """The skyline one minute past: fireworks too bright for the film, two on a roof."""
    c = Canvas(seed)
    c.wash([(0, "#1c2838"), (0.6, "#44506a"), (1, "#9b8d88")], 0, 700, body=0.2)
    c.clouds("#6c7488", 60, 600, alpha=0.4, amount=0.5)
    for x, y, reach, tone in ((330, 220, 190, "#f4dfb4"), (690, 150, 130, "#dfe3e4"), (960, 280, 150, "#e9c7a2")):
        c.glow(x, y, reach * 1.9, tone, 0.65)
        for ray in range(44):
            turn = ray / 44 * 2 * math.pi + c.hand.uniform(-0.06, 0.06)
            far = reach * c.hand.uniform(0.7, 1.1)
            near = far * c.hand.uniform(0.15, 0.5)
            drop = far * 0.16
            c.stroke([(x + math.cos(turn) * near, y + math.sin(turn) * near),
                      (x + math.cos(turn) * far * 0.8, y + math.sin(turn) * far * 0.8 + drop * 0.4),
                      (x + math.cos(turn) * far, y + math.sin(turn) * far + drop)], light(tone, 0.5), 3.2, alpha=0.9)
        c.glow(x, y, reach * 0.36, "#fffaf0", 0.95)
    for layer, (base, tone) in enumerate(((470, "#6a6f82"), (540, "#464d5e"), (610, "#2c3340"))):
        x = -20.0
        while x < 1220:
            wide = c.hand.uniform(34, 92) * (1 + layer * 0.3)
            top = base - c.hand.uniform(10, 190) + 40 * layer
            c.shape(box(x, top, x + wide, 760), tone, mix(tone, "#8f8482", 0.3), rough=1)
            if c.hand.random() < 0.25:
                c.line([(x + wide / 2, top), (x + wide / 2, top - 46)], tone, 3)
            for _ in range(int(wide / 5)):
                a, b = x + c.hand.uniform(5, wide - 7), c.hand.uniform(top + 10, 720)
                c.shape(box(a, b, a + 4 + layer, b + 6 + layer), "#f0d8a4", alpha=c.hand.uniform(0.3, 0.9), rough=0)
            x += wide + c.hand.uniform(-4, 8)
    spire = [(560, 640), (566, 300), (584, 270), (588, 190), (591, 110), (594, 190), (598, 270), (616, 300), (622, 640)]
    c.shape(spire, "#3c4454", "#525869", rough=0.8)
    for row in range(20):
        c.shape(box(574, 310 + row * 16, 608, 313 + row * 16), "#f0d8a4", alpha=0.55, rough=0)
    c.shape(box(-10, 738, 1210, 910), "#2a2e37", "#1d2027", rough=2)
    c.shape(box(-10, 728, 1210, 744), "#c2c6cb", "#8e949d", rough=2.4)
    c.shape([(930, 738), (930, 600), (1096, 600), (1096, 738)], "#35322f", "#292624")
    c.shape([(914, 604), (1012, 536), (1112, 604)], "#403b37")
    for leg in (944, 1078):
        c.shape(box(leg, 730, leg + 10, 770), "#292624")
    for hoop in (630, 668, 706):
        c.line([(930, hoop), (1096, hoop)], "#1f1d1c", 3)
    small(c, 480, 868, 262, "#5c5152", hair_color=HAIR["blue"], shadow=None, wind=0.05)
    man(c, 366, 876, 282, "#20242b", shade=0)
    return c


def _elephant(c: Canvas, x: float, feet: float, u: float, skin: Color, *, stride: int = 0) -> None:
    """From the side, walking to the left, `u` high."""
    def at(a: float, b: float) -> Point:
        return (x + a * u, feet - b * u)

    for leg, share in ((0.12, 0), (0.92, 1)):
        swing = 0.06 * (1 if (stride + share) % 2 else -1)
        c.shape([at(leg - 0.09, 0.45), at(leg + 0.12, 0.45), at(leg + 0.09 - swing, 0), at(leg - 0.08 - swing, 0)],
                dark(skin, 0.5), rough=2)
    body = [at(-0.02, 0.66), at(0.08, 0.9), at(0.4, 1.0), at(0.75, 0.97), at(1.02, 0.82), at(1.1, 0.55), at(1.0, 0.34),
            at(0.55, 0.26), at(0.15, 0.34)]
    c.shape(curve(body), light(skin, 0.16), dark(skin, 0.4), rough=1.6, body=0.4)
    for leg, share in ((0.26, 1), (0.8, 0)):
        swing = 0.08 * (1 if (stride + share) % 2 else -1)
        c.shape(curve([at(leg - 0.12, 0.55), at(leg + 0.14, 0.55), at(leg + 0.11 - swing * 0.4, 0.25),
                       at(leg + 0.11 - swing, 0.01), at(leg - 0.1 - swing, 0.01), at(leg - 0.11 - swing * 0.4, 0.25)]),
                skin, dark(skin, 0.38), rough=1.4)
    head = [at(0.12, 0.92), at(-0.08, 1.0), at(-0.26, 0.9), at(-0.33, 0.68), at(-0.39, 0.42), at(-0.42, 0.2),
            at(-0.5, 0.13), at(-0.54, 0.2), at(-0.58, 0.17), at(-0.53, 0.06), at(-0.41, 0.05), at(-0.31, 0.2),
            at(-0.26, 0.42), at(-0.14, 0.54), at(0.04, 0.58)]
    c.shape(curve(head), light(skin, 0.2), dark(skin, 0.25), rough=1.2, body=0.35)
    ear = [at(-0.02, 0.92), at(0.12, 0.96), at(0.24, 0.84), at(0.22, 0.6), at(0.1, 0.48), at(0.0, 0.62), at(-0.05, 0.78)]
    c.shape(curve(ear), dark(skin, 0.1), dark(skin, 0.35), rough=1.2)
    c.stroke([at(0.0, 0.9), at(-0.03, 0.76), at(0.08, 0.5)], light(skin, 0.35), u * 0.016, alpha=0.6)
    c.shape(oval(*at(-0.17, 0.79), u * 0.016, u * 0.012), "#1d1e22", rough=0)
    c.stroke([at(-0.22, 0.56), at(-0.3, 0.47), at(-0.4, 0.45)], "#d9d2c0", u * 0.035)
    c.stroke([at(1.07, 0.7), at(1.14, 0.55), at(1.12, 0.36)], dark(skin, 0.3), u * 0.028)
    c.stroke([at(0.2, 0.94), at(0.5, 1.0), at(0.85, 0.93)], "#f0d9ae", u * 0.03, alpha=0.5)


def elephants(seed: int) -> Canvas:
    """Elephants in the street at night, trunk to tail, under the lamps."""
    c = Canvas(seed)
    c.wash([(0, "#232c3a"), (1, "#5d5f66")], 0, 640, body=0.25)
    for number, (left, right, top) in enumerate(((-20, 210, 40), (220, 470, 120), (730, 960, 90), (968, 1230, 20))):
        wall = ("#39414d", "#434954", "#3d4550", "#353c48")[number]
        c.shape(box(left, top, right, 650), wall, light(wall, 0.12), rough=1.4, body=0.35)
        for row in range(5):
            for column in range(3):
                _window(c, left + 34 + column * 70, top + 36 + row * 100, 32, 54,
                        LAMP if c.hand.random() < 0.2 else None, wall)
    c.glow(600, 520, 330, "#e6cfa0", 0.55)
    c.wash([(0, "#77736d"), (1, "#34373d")], 640, 900, body=0.4)
    for x in (250, 620, 990):
        c.glow(x, 230, 190, LAMP, 0.7)
        c.shape(oval(x, 745, 240, 40), "#e8cf9d", alpha=0.4, soft=30, rough=0)
        c.line([(x + 56, 660), (x + 56, 250), (x + 40, 222), (x + 8, 220)], "#1c2027", 6)
        c.shape(oval(x, 222, 24, 9), "#fff2cf")
    skin = "#6b6a6e"
    for number, (x, feet, size) in enumerate(((880, 770, 250), (520, 790, 296), (120, 815, 350))):
        c.shape(oval(x + size * 0.35, feet + 4, size * 0.78, size * 0.07), "#14171c", alpha=0.55, soft=12, rough=0)
        _elephant(c, x, feet, size, skin, stride=number)
    for x, y, tall, tone in ((1110, 850, 230, "#3b3f48"), (1040, 862, 214, "#4b443f")):
        del tone
        if x == 1040:
            small(c, x, y + 30, tall, "#565059", hair_color=HAIR["red"], shadow=None)
        else:
            man(c, x + 6, y + 40, tall + 20, "#262a31", shade=0)
    c.clouds("#b9ac93", 380, 760, alpha=0.22, amount=0.55, flat=3)
    return c


def market(seed: int) -> Canvas:
    """The flea market in May, before the argument: awnings, tables, her ahead in the crowd."""
    c = Canvas(seed)
    c.wash([(0, "#c6cbc8"), (1, "#ddd5c4")], 0, 420, body=0.2)
    for number in range(7):
        left = -40 + number * 190
        wall = ("#a9a093", "#9d9d99", "#b0a597", "#98938d")[number % 4]
        c.shape(box(left, 40 + number % 3 * 40, left + 186, 470), light(wall, 0.15), wall, rough=1.5)
        for row in range(3):
            for column in range(3):
                c.shape(box(left + 26 + column * 52, 90 + row * 96 + number % 3 * 30, left + 52 + column * 52,
                            138 + row * 96 + number % 3 * 30), dark(wall, 0.3), rough=1)
    c.wash([(0, "#b3a997"), (1, "#958c7d")], 450, 900, body=0.4)
    for number, (left, top, wide) in enumerate(((-120, 190, 440), (880, 180, 460), (230, 300, 240), (700, 296, 220))):
        tones = (("#b59f7e", "#e4dac6"), ("#7d8f8f", "#dcd8ca"), ("#a08a86", "#ddd2c2"), ("#8d9479", "#dfd9c6"))[number]
        tall, drop = wide * 0.22, wide * 0.62
        stripes = 8
        for stripe in range(stripes):
            a, b = left + wide * stripe / stripes, left + wide * (stripe + 1) / stripes
            m = left + wide / 2
            c.shape([(m + (a - m) * 0.8, top), (m + (b - m) * 0.8, top), (b, top + tall), (a, top + tall)],
                    tones[stripe % 2], dark(tones[stripe % 2], 0.12), rough=1, grain="upstrokes")
            c.shape(curve([(a, top + tall - 2), (b, top + tall - 2), (b - 3, top + tall + 14),
                           ((a + b) / 2, top + tall + 24), (a + 3, top + tall + 14)], steps=4),
                    dark(tones[stripe % 2], 0.16), rough=0.6)
        c.shape(box(left + 10, top + tall, left + wide - 10, top + drop), "#5d554c", "#6f665b", alpha=0.85)
        for leg in (left + 12, left + wide - 20):
            c.shape(box(leg, top + tall, leg + 8, top + drop + wide * 0.3), "#5b5247")
        cloth = top + drop
        c.shape(box(left - 6, cloth, left + wide + 6, cloth + wide * 0.26), "#c9bea9", "#9d9282", rough=1.6)
        for _ in range(16):
            x = c.hand.uniform(left + 8, left + wide - 30)
            tone = c.hand.choice(("#8a7a66", "#6f7f80", "#b59a74", "#d8cbb2", "#77706a", "#96705d"))
            size = wide * c.hand.uniform(0.03, 0.07)
            if c.hand.random() < 0.5:
                c.shape(box(x, cloth - size * 1.6, x + size, cloth + 3), tone, dark(tone, 0.3))
            else:
                c.shape(oval(x + size / 2, cloth - size * 0.5, size * 0.7, size * 0.8), light(tone, 0.1), dark(tone, 0.3))
    crowd = ((560, 640, 190), (625, 630, 180), (470, 660, 215), (770, 650, 205), (420, 640, 186))
    for x, feet, tall in crowd:
        man(c, x, feet, tall, c.hand.choice(("#6d7075", "#7b7166", "#5f6a6e", "#87807a")))
    small(c, 640, 850, 430, "#8a8f86", hair_color=HAIR["orange"], legs="#4c5665", shadow="#5d564c", long=0.38, wind=0.02)
    c.stroke([(690, 560), (748, 620), (726, 690)], "#7d8279", 36)
    c.shape(curve([(700, 680), (770, 676), (788, 780), (740, 800), (690, 780)]), "#b3a083", "#8b7a60", rough=1.5)
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
        c.shape(curve([on(-0.05, 0.72), on(0.3, 0.6), on(0.7, 0.68), on(1.05, 0.58), on(1.05, 1.1), on(-0.05, 1.1)]),
                "#7f8582", "#5f6663", within=frame)
        horse = [on(0.28, 0.5), on(0.4, 0.42), on(0.56, 0.44), on(0.66, 0.28), on(0.74, 0.2), on(0.76, 0.12), on(0.79, 0.2),
                 on(0.87, 0.36), on(0.855, 0.42), on(0.77, 0.385), on(0.71, 0.52), on(0.66, 0.64), on(0.5, 0.66), on(0.36, 0.64),
                 on(0.27, 0.66), on(0.25, 0.56)]
        c.shape(curve(horse), "#4d5352", "#3a403f", rough=1.2)
        for a, lean in ((0.31, -0.03), (0.37, 0.02), (0.6, -0.02), (0.65, 0.04)):
            c.stroke([on(a, 0.58), on(a + lean, 0.74), on(a + lean * 0.4, 0.92)], "#3c4241", 26)
        c.stroke([on(0.27, 0.5), on(0.2, 0.6), on(0.2, 0.78)], "#333938", 22)
        c.stroke([on(0.74, 0.16), on(0.65, 0.3), on(0.58, 0.44)], "#2f3534", 24)
    else:
        for a, tone, size in ((0.33, "#6f7675", 1.0), (0.66, "#868c89", 0.92)):
            c.shape(curve([on(a - 0.2 * size, 1.05), on(a - 0.15 * size, 0.76), on(a - 0.05, 0.66), on(a + 0.05, 0.66),
                           on(a + 0.15 * size, 0.76), on(a + 0.2 * size, 1.05)]), dark(tone, 0.3), within=frame)
            c.shape(oval(*on(a, 0.45), w * 0.085 * size, h * 0.22 * size), light(tone, 0.25), tone, across=a > 0.5)
            c.shape(curve([on(a - 0.1, 0.5), on(a - 0.09, 0.25), on(a, 0.17), on(a + 0.09, 0.25), on(a + 0.1, 0.44),
                           on(a + 0.05, 0.31), on(a - 0.05, 0.31)]), "#3d4443")
    c.shape(curve([(-40, 650), (300, 620), (700, 640), (1240, 610), (1240, 960), (-40, 960)]), "#343b41", "#1c2126")
    for x, y, size in ((120, 640, 1.0), (330, 646, 1.1), (640, 644, 1.0), (860, 640, 1.15), (1060, 636, 1.0)):
        if close and x < 300:
            continue
        a = 64 * size
        c.shape(curve([(x - a, y + 26), (x - a, y), (x - a * 0.6, y - 8), (x - a * 0.4, y - 32), (x + a * 0.3, y - 32),
                       (x + a * 0.55, y - 6), (x + a, y + 2), (x + a, y + 26)]), "#22272e", "#15191e", rough=0.6)
        c.stroke([(x - a * 0.38, y - 31), (x, y - 34), (x + a * 0.3, y - 31)], "#aeb5b4", 3, alpha=0.8)
    if close:
        # Her profile with the light of the screen on it, and him as a dark edge.
        c.shape(curve([(760, 940), (790, 800), (850, 750), (960, 730), (1090, 770), (1180, 850), (1210, 960)]), "#3b424c",
                "#23282f", rough=1.5)
        falls = [(872, 500), (930, 452), (1010, 450), (1080, 500)]
        del falls
        face = [(872, 520), (862, 570), (846, 604), (862, 614), (862, 648), (884, 672), (930, 676), (960, 740), (1000, 640),
                (990, 520)]
        c.shape(curve(face), "#b9a79a", "#6f6663", across=True, rough=1)
        hair(c, [(930, 446), (868, 480), (880, 560), (924, 640), (906, 770)],
             [(960, 444), (1060, 480), (1100, 600), (1110, 700), (1130, 800)], HAIR["red"], strands=90, width=3.4, sun=0.3)
        c.stroke([(872, 470), (868, 510), (900, 545)], light(HAIR["red"], 0.25), 22)
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
    beast = [(300, 420), (400, 330), (520, 360), (610, 260), (720, 230), (770, 310), (690, 380), (610, 260)]
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
        c.shape(oval(x - size * 0.15, y + size * 0.25, size * 0.5, size * 0.55), "#e3e4dc", alpha=0.75, rough=0, body=0)
    for _ in range(22):
        x, y = c.hand.uniform(80, 1120), c.hand.uniform(100, 380)
        c.stroke([(x, y), (x + c.hand.uniform(-6, 6), y + 60), (x + c.hand.uniform(-14, 14), y + c.hand.uniform(110, 220))],
                 "#cfd4d2", 5, alpha=0.35)
    c.stroke([(150, 610), (420, 470), (640, 250)], "#12161b", 13)
    c.stroke([(620, 620), (830, 470), (1010, 270)], "#12161b", 13)
    frame = "#14181e"
    c.shape([(-10, -10), (1210, -10), (1210, 96), (600, 66), (-10, 96)], frame)
    c.shape([(-10, 60), (70, 90), (40, 640), (-10, 660)], frame)
    c.shape([(1210, 60), (1130, 90), (1160, 640), (1210, 660)], frame)
    c.shape(curve([(500, 92), (600, 84), (704, 92), (712, 150), (600, 164), (490, 150)]), "#1b2027")
    c.shape(curve([(508, 100), (600, 94), (696, 100), (700, 142), (600, 152), (502, 142)]), "#59636c", "#3a434c")
    c.shape(curve([(-40, 640), (300, 590), (640, 604), (900, 590), (1240, 630), (1240, 960), (-40, 960)]), "#1d2229", "#14181d")
    c.glow(300, 660, 110, "#a9bba8", 0.4)
    c.line([(oval(290, 710, 150, 128)[i % 36]) for i in range(17, 38)], "#0e1115", 18)
    for x, back in ((310, "#272d35"), (890, "#2a2b30")):
        c.shape(curve([(x - 180, 960), (x - 160, 800), (x - 90, 740), (x + 90, 740), (x + 160, 800), (x + 180, 960)]),
                back, dark(back, 0.3), rough=1.5)
    c.shape(oval(306, 610, 92, 118), "#7d6a5f", "#54473f", across=True)
    c.shape(curve([(208, 612), (214, 500), (306, 466), (398, 500), (404, 612), (380, 690), (306, 706), (232, 690)]),
            "#2c2725", "#1e1b1b", rough=2)
    face = [(800, 560), (782, 610), (796, 630), (800, 672), (850, 700), (900, 690), (900, 540)]
    c.shape(curve(face), "#a88d80", "#6c5a55", across=True)
    hair(c, [(870, 470), (804, 500), (812, 590), (850, 680), (826, 800)],
         [(900, 468), (990, 500), (1016, 620), (1012, 730), (1030, 840)], HAIR["blue"], strands=100, width=3.6, sun=0.3)
    return c
