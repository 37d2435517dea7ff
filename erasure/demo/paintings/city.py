"""Streets: hers in the snow, windows, elephants, the flea market."""

from __future__ import annotations

from erasure.demo.paintings.brush import Canvas, Color, Point, box, curve, dark, light, mix, oval, path
from erasure.demo.paintings.figures import HAIR, man, small

LAMP = "#f1cf92"


def _window(
    c: Canvas, left: float, top: float, wide: float, tall: float, lit: Color | None, wall: Color
) -> None:
    if lit:
        c.glow(left + wide / 2, top + tall / 2, tall * 1.1, lit, 0.4)
        c.shape(
            box(left, top, left + wide, top + tall), light(lit, 0.15), dark(lit, 0.2), rough=0.8, body=0.3
        )
        if c.hand.random() < 0.45:
            c.shape(
                box(left, top, left + wide, top + tall * c.hand.uniform(0.2, 0.55)),
                dark(lit, 0.25),
                alpha=0.7,
            )
        if c.hand.random() < 0.22:
            at = left + wide * c.hand.uniform(0.3, 0.7)
            c.shape(
                curve(
                    [
                        (at - wide * 0.24, top + tall),
                        (at - wide * 0.2, top + tall * 0.62),
                        (at - wide * 0.1, top + tall * 0.4),
                        (at + wide * 0.1, top + tall * 0.4),
                        (at + wide * 0.2, top + tall * 0.62),
                        (at + wide * 0.24, top + tall),
                    ]
                ),
                dark(lit, 0.72),
                alpha=0.85,
            )
    else:
        c.shape(box(left, top, left + wide, top + tall), dark(wall, 0.45), dark(wall, 0.25), rough=0.8)
    c.line(
        [(left, top + tall * 0.5), (left + wide, top + tall * 0.5)], dark(wall, 0.3), max(1.0, wide * 0.06)
    )
    c.shape(
        box(left - wide * 0.12, top + tall, left + wide * 1.12, top + tall * 1.08),
        light(wall, 0.3),
        rough=0.5,
    )


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
        c.shape(
            curve(
                [
                    (x - 8, roof - 12),
                    (x + wide * 0.3, roof - 24),
                    (x + wide * 0.7, roof - 19),
                    (x + wide + 6, roof - 12),
                    (x + wide + 4, roof - 7),
                    (x - 6, roof - 7),
                ]
            ),
            "#dfe2e2",
        )
        for row in range(3):
            for column in range(3):
                lit = LAMP if c.hand.random() < 0.36 else None
                _window(
                    c, x + wide * (0.12 + column * 0.28), roof + 44 + row * 128, wide * 0.18, 78, lit, wall
                )
        c.shape(box(x + wide * 0.38, 530, x + wide * 0.6, 640), dark(wall, 0.4))
        for step in range(4):
            c.shape(
                box(x + wide * 0.34 - step * 5, 604 + step * 13, x + wide * 0.64 + step * 5, 618 + step * 13),
                mix("#c9cdd0", wall, 0.25),
                rough=1,
            )
        x += wide + 2
        number += 1
    c.wash([(0, "#aab2ba"), (0.3, "#cbd0d2"), (1, "#b4bdc8")], 640, 900, body=0.3)
    c.clouds("#8c98a8", 660, 900, alpha=0.45, amount=0.5, flat=6)
    for track in (0, 60):
        c.stroke(
            [(-20, 836 + track * 0.4), (500, 800 + track * 0.5), (1230, 742 + track * 0.3)],
            "#8b96a5",
            13,
            alpha=0.6,
            soft=3,
        )
    c.glow(900, 330, 300, LAMP, 0.5)
    c.shape(oval(890, 720, 210, 44), LAMP, alpha=0.42, soft=30, rough=0)
    c.shape(path("894,330 902,330 905,720 891,720"), "#2a2d33")
    c.stroke([(898, 340), (900, 300), (870, 292)], "#2a2d33", 8)
    c.shape(path("880,306 916,306 924,352 872,352"), "#f8e3b4", "#f1cf92")
    c.shape([(874, 306), (898, 284), (922, 306)], "#2a2d33")
    for at in (110, 1100):
        c.stroke([(at, 720), (at + 8, 560), (at - 6, 330), (at + 14, 120)], "#2d3036", 26)
        for _ in range(11):
            y = c.hand.uniform(190, 480)
            side = c.hand.choice((-1, 1))
            tip = (at + side * c.hand.uniform(70, 170), y - c.hand.uniform(70, 160))
            c.stroke([(at, y), ((at + tip[0]) / 2, y - 60), tip], "#33363c", 8)
            c.stroke([(at + side * 8, y - 6), ((at + tip[0]) / 2, y - 65), tip], "#d5d9da", 3, alpha=0.7)
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
        c.stroke(
            [(-10, 20 + row * 32), (600, 22 + row * 32), (1210, 20 + row * 32)], "#252c36", 2.5, alpha=0.5
        )
    tints = (LAMP, "#e3b27c", "#cfd3b8", "#edd9ae", "#d69f72", "#9fb4bf")
    for row in range(3):
        for column in range(6):
            left, top = 52 + column * 194 + c.hand.uniform(-4, 4), 28 + row * 226
            lit = c.hand.choice(tints) if (row, column) not in ((1, 3), (0, 0), (2, 5)) else None
            _window(c, left, top, 112, 158, lit, wall)
            if lit and c.hand.random() < 0.5:
                for side in (0, 1):
                    edge = left if not side else left + 112
                    c.shape(
                        curve(
                            [
                                (edge, top),
                                (edge + (34 if not side else -34), top + 6),
                                (edge + (16 if not side else -16), top + 90),
                                (edge, top + 156),
                            ]
                        ),
                        light(lit, 0.4),
                        alpha=0.55,
                    )
            if c.hand.random() < 0.3:
                c.shape(box(left + 30, top + 160, left + 84, top + 178), "#4d4136")
                for stem in range(6):
                    c.stroke(
                        [
                            (left + 38 + stem * 8, top + 162),
                            (left + 36 + stem * 9, top + 142),
                            (left + 32 + stem * 10, top + 128),
                        ],
                        "#4f5d4b",
                        7,
                    )
    # The sill of the car: a dark door, the mirror, a sleeve.
    c.shape(curve(path("-40,720 300,690 700,704 1240,676 1240,960 -40,960")), "#171b22", "#0e1116")
    c.stroke([(-20, 722), (420, 690), (1220, 684)], "#56616e", 6, alpha=0.8)
    c.shape(curve(path("70,610 250,590 300,640 276,716 90,724 50,668")), "#1b2028", "#12161b")
    c.shape(curve(path("88,628 240,610 276,646 256,696 102,704 74,668")), "#4c5a68", "#2b333e")
    for x, y, tone in ((130, 655, LAMP), (168, 662, "#e3b27c"), (210, 650, LAMP)):
        c.glow(x, y, 22, tone, 0.9)
    c.clouds("#93a2b0", 0, 700, alpha=0.16, amount=0.5)
    return c


def _elephant(c: Canvas, x: float, feet: float, u: float, skin: Color, *, stride: int, holds: bool) -> None:
    """From the side, walking to the left, `u` high."""

    def at(a: float, b: float) -> Point:
        return (x + a * u, feet - b * u)

    for leg, share in ((0.12, 0), (0.92, 1)):
        swing = 0.06 * (1 if (stride + share) % 2 else -1)
        c.shape(
            [
                at(leg - 0.09, 0.45),
                at(leg + 0.12, 0.45),
                at(leg + 0.09 - swing, 0),
                at(leg - 0.08 - swing, 0),
            ],
            dark(skin, 0.5),
            rough=2,
        )
    body = path("-0.02,0.66 0.08,0.9 0.4,1.0 0.75,0.97 1.02,0.82 1.1,0.55 1.0,0.34 0.55,0.26 0.15,0.34", at)
    c.shape(curve(body), light(skin, 0.16), dark(skin, 0.4), rough=1.6, body=0.4)
    for leg, share in ((0.26, 1), (0.8, 0)):
        swing = 0.08 * (1 if (stride + share) % 2 else -1)
        c.shape(
            curve(
                [
                    at(leg - 0.12, 0.55),
                    at(leg + 0.14, 0.55),
                    at(leg + 0.11 - swing * 0.4, 0.25),
                    at(leg + 0.11 - swing, 0.01),
                    at(leg - 0.1 - swing, 0.01),
                    at(leg - 0.11 - swing * 0.4, 0.25),
                ]
            ),
            skin,
            dark(skin, 0.38),
            rough=1.4,
        )
    if holds:
        trunk = path("-0.33,0.68 -0.42,0.58 -0.54,0.6 -0.56,0.54 -0.44,0.48 -0.3,0.52", at)
    else:
        trunk = path(
            "-0.33,0.68 -0.39,0.42 -0.42,0.2 -0.5,0.13 -0.54,0.2 -0.58,0.17 -0.53,0.06 "
            "-0.41,0.05 -0.31,0.2 -0.26,0.42",
            at,
        )
    head = [at(0.12, 0.92), at(-0.08, 1.0), at(-0.26, 0.9), *trunk, at(-0.14, 0.54), at(0.04, 0.58)]
    c.shape(curve(head), light(skin, 0.2), dark(skin, 0.25), rough=1.2, body=0.35)
    ear = path("-0.02,0.92 0.12,0.96 0.24,0.84 0.22,0.6 0.1,0.48 0.0,0.62 -0.05,0.78", at)
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
    for number, (left, right, top) in enumerate(
        ((-20, 210, 40), (220, 470, 120), (730, 960, 90), (968, 1230, 20))
    ):
        wall = ("#39414d", "#434954", "#3d4550", "#353c48")[number]
        c.shape(box(left, top, right, 650), wall, light(wall, 0.12), rough=1.4, body=0.35)
        for row in range(5):
            for column in range(3):
                _window(
                    c,
                    left + 34 + column * 70,
                    top + 36 + row * 100,
                    32,
                    54,
                    LAMP if c.hand.random() < 0.2 else None,
                    wall,
                )
    c.glow(600, 520, 330, "#e6cfa0", 0.55)
    c.wash([(0, "#77736d"), (1, "#34373d")], 640, 900, body=0.4)
    for x in (250, 620, 990):
        c.glow(x, 230, 190, LAMP, 0.7)
        c.shape(oval(x, 745, 240, 40), "#e8cf9d", alpha=0.4, soft=30, rough=0)
        c.line([(x + 56, 660), (x + 56, 250), (x + 40, 222), (x + 8, 220)], "#1c2027", 6)
        c.shape(oval(x, 222, 24, 9), "#fff2cf")
    skin = "#6b6a6e"
    for number, (x, feet, size) in enumerate(((1090, 762, 222), (688, 778, 268), (206, 796, 316))):
        c.shape(
            oval(x + size * 0.35, feet + 4, size * 0.78, size * 0.07), "#14171c", alpha=0.55, soft=12, rough=0
        )
        _elephant(c, x, feet, size, skin, stride=number, holds=number < 2)
    small(c, 880, 890, 236, "#6d6368", hair_color=HAIR["red"], shadow=None)
    man(c, 962, 902, 258, "#262a31", shade=0)
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
                c.shape(
                    box(
                        left + 26 + column * 52,
                        90 + row * 96 + number % 3 * 30,
                        left + 52 + column * 52,
                        138 + row * 96 + number % 3 * 30,
                    ),
                    dark(wall, 0.3),
                    rough=1,
                )
    c.wash([(0, "#b3a997"), (1, "#958c7d")], 450, 900, body=0.4)
    for number, (left, top, wide) in enumerate(
        ((-120, 190, 440), (880, 180, 460), (230, 300, 240), (700, 296, 220))
    ):
        tones = (
            ("#b59f7e", "#e4dac6"),
            ("#7d8f8f", "#dcd8ca"),
            ("#a08a86", "#ddd2c2"),
            ("#8d9479", "#dfd9c6"),
        )[number]
        tall, drop = wide * 0.22, wide * 0.62
        stripes = 8
        for stripe in range(stripes):
            a, b = left + wide * stripe / stripes, left + wide * (stripe + 1) / stripes
            m = left + wide / 2
            c.shape(
                [(m + (a - m) * 0.8, top), (m + (b - m) * 0.8, top), (b, top + tall), (a, top + tall)],
                tones[stripe % 2],
                dark(tones[stripe % 2], 0.12),
                rough=1,
                grain="upstrokes",
            )
            c.shape(
                curve(
                    [
                        (a, top + tall - 2),
                        (b, top + tall - 2),
                        (b - 3, top + tall + 14),
                        ((a + b) / 2, top + tall + 24),
                        (a + 3, top + tall + 14),
                    ],
                    steps=4,
                ),
                dark(tones[stripe % 2], 0.16),
                rough=0.6,
            )
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
                c.shape(
                    oval(x + size / 2, cloth - size * 0.5, size * 0.7, size * 0.8),
                    light(tone, 0.1),
                    dark(tone, 0.3),
                )
    crowd = ((560, 640, 190), (625, 630, 180), (470, 660, 215), (770, 650, 205), (420, 640, 186))
    for x, feet, tall in crowd:
        man(c, x, feet, tall, c.hand.choice(("#6d7075", "#7b7166", "#5f6a6e", "#87807a")))
    small(
        c,
        640,
        850,
        430,
        "#8a8f86",
        hair_color=HAIR["orange"],
        legs="#4c5665",
        shadow="#5d564c",
        long=0.38,
        wind=0.02,
    )
    c.stroke([(690, 560), (748, 620), (726, 690)], "#7d8279", 36)
    c.shape(curve(path("700,680 770,676 788,780 740,800 690,780")), "#b3a083", "#8b7a60", rough=1.5)
    return c
