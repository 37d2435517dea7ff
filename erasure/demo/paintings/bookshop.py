"""The bookshop: aisle four, the floor in Travel, the window from the street."""

from __future__ import annotations

from PIL import Image, ImageChops, ImageDraw, ImageFilter

from erasure.demo.paintings.brush import FINER, Canvas, Point, box, curve, dark, light, mix, oval, path
from erasure.demo.paintings.figures import HAIR, face, parted, profile, small

SPINES = (
    "#7b6a5b",
    "#5d6b70",
    "#8f8069",
    "#6a5f62",
    "#a59678",
    "#4f5a5c",
    "#8a7468",
    "#c3b597",
    "#66705f",
    "#756055",
)


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
        c.shape(
            [spot(near, -120), spot(far, -120), spot(far, 1330), spot(near, 1330)], dark(wood, 0.45), rough=0
        )
        for row in range(7):
            floor, tall = 60 + row * 196, 176
            depth = near
            while depth > far:
                thin = depth * c.hand.uniform(0.018, 0.045)
                high = tall * c.hand.uniform(0.68, 0.95)
                deeper = depth - thin
                tone = mix(dark(c.hand.choice(SPINES), dim), "#2b2622", (1 - depth) * 0.35)
                c.shape(
                    [
                        spot(depth, floor - high),
                        spot(deeper, floor - high),
                        spot(deeper, floor),
                        spot(depth, floor),
                    ],
                    light(tone, 0.14 * (1 - dim)),
                    dark(tone, 0.2),
                    across=True,
                    rough=0.4,
                    body=0,
                )
                depth = deeper
            c.shape(
                [spot(near, floor), spot(far, floor), spot(far, floor + 16), spot(near, floor + 16)],
                light(wood, 0.16),
                rough=0.6,
            )
        c.shape(
            [spot(far + 0.012, -120), spot(far, -120), spot(far, 1330), spot(far + 0.012, 1330)],
            wood,
            rough=0.4,
        )


def bookshop(seed: int) -> Canvas:
    """Aisle four: green hair between the shelves."""
    c = Canvas(seed, upright=True, ground="#b7a88f")
    c.wash([(0, "#cfc2a9"), (0.45, "#e9dfc8"), (0.55, "#cdbfa3"), (1, "#8a7358")], body=0.25)
    c.glow(450, 430, 420, "#fbf3dc", 0.8)
    for number in range(4):
        y = 330 - number * number * 26
        c.shape(
            box(450 - 26 - number * 22, y, 450 + 26 + number * 22, y + 5 + number * 4), "#fdf8e8", rough=0.6
        )
    _aisle(c, (450, 480))
    for number in range(7):
        y = 690 + number * number * 13
        c.stroke(
            [(260 - number * 45, y), (450, y + 3), (640 + number * 45, y)], "#6d583f", 3 + number, alpha=0.5
        )
    c.shape(path("350,690 550,690 760,1210 140,1210"), "#efe2c4", alpha=0.22, soft=24)
    small(c, 448, 940, 520, "#8d8a83", hair_color=HAIR["green"], legs="#434a55", shadow="#5a4a38", long=0.36)
    c.stroke([(510, 560), (590, 590), (622, 560)], "#7f7c75", 34)
    c.shape(path("600,520 660,510 668,590 608,600"), "#b59f7c", "#8d7a5c", rough=1)
    c.stroke([(612, 556), (626, 560), (640, 556)], "#d9b9a0", 18)
    c.shape(curve(path("60,1210 70,1120 150,1090 260,1106 270,1210")), "#5d4f40", "#3f362c")
    for number in range(4):
        c.shape(
            box(84 + number * 7, 1090 - number * 34, 250 - number * 5, 1122 - number * 34),
            SPINES[(number * 3 + 1) % 10],
            rough=1.4,
        )
    return c


def bookshop_dark(seed: int) -> Canvas:
    """The lights went off early: on the floor in Travel, with a flashlight."""
    c = Canvas(seed, upright=True, ground="#141a22")
    c.wash([(0, "#10151c"), (1, "#1c2026")], body=0.2)
    for row in range(5):
        floor = 190 + row * 186
        c.shape(box(-10, floor - 172, 910, floor), "#12161b", rough=0)
        _books(c, 10, 890, floor, 164, dim=0.0, thick=1.5)
        c.shape(box(-10, floor, 910, floor + 15), "#2c261f", rough=0.6)
    lit = ImageChops.multiply(c.image, Image.new("RGB", c.image.size, "#fbe6b8"))
    c.veil("#0e141c", 0.74)
    beam = Image.new("L", c.image.size)
    draw = ImageDraw.Draw(beam)
    draw.ellipse([round(v * FINER) for v in (70, 60, 650, 560)], fill=255)
    beam = beam.filter(ImageFilter.GaussianBlur(26))
    c.image.paste(lit, (0, 0), beam)
    c.shape([(604, 880), (92, 230), (620, 130)], "#f2dfae", alpha=0.2, soft=16)
    c.glow(360, 300, 330, "#fff0c4", 0.3)
    c.wash([(0, "#252628"), (1, "#15181c")], 950, 1200, body=0.35)
    c.glow(600, 990, 300, "#d9c08a", 0.35)
    # He sits to the left, she leans on him with the light in her hand.
    c.shape(curve(path("120,1140 140,900 210,800 330,800 400,900 420,1140")), "#252b33", "#181c22", rough=1.5)
    profile(c, 272, 730, 150, 1, "#b08f7c", "#54443e")
    c.shape(
        curve(path("330,660 290,620 220,626 184,690 192,770 222,806 250,760 262,700 300,676")),
        "#241f1e",
        rough=1,
    )
    c.shape(
        curve(path("110,1150 230,1010 430,1060 540,1150 420,1190 160,1190")), "#1d2229", "#14181d", rough=1.5
    )
    c.shape(curve(path("420,1150 430,930 490,850 600,850 670,930 700,1150")), "#5f5650", "#37332f", rough=1.5)
    c.shape(
        curve(path("430,1160 520,1010 700,1050 790,1150 660,1196 460,1190")), "#3d4653", "#262c35", rough=1.5
    )
    face(c, 524, 770, 82, 1, "#d8b998")
    parted(c, 524, 770, 82, HAIR["blue"], 1, strands=50)
    c.stroke([(660, 930), (700, 990), (640, 940)], "#57504a", 40)
    c.shape(path("588,884 616,868 652,950 628,964"), "#8e9296", "#565a5f", rough=0.8)
    c.glow(602, 872, 60, "#fff6d8", 0.95)
    c.specks(60, "#f2dfae", (120, 60, 640, 820), (0.8, 2.2), alpha=0.5, soft=0.6)
    return c


def bookshop_blue(seed: int) -> Canvas:
    """Through the glass from the street: she did not know me."""
    c = Canvas(seed, upright=True, ground="#3a434e")
    c.wash([(0, "#d9c193"), (0.6, "#e9d6ab"), (1, "#b59b6f")], 150, 900, body=0.25)
    for number, x in enumerate((250.0, 470, 680)):
        c.line([(x, 150), (x, 260)], "#6b5a41", 3)
        c.glow(x, 290, 170, "#fff4d0", 0.85)
        c.shape(
            [(x - 16, 256), (x + 16, 256), (x + 46, 300), (x - 46, 300)],
            "#59604f" if number % 2 else "#6a6458",
        )
    for row in range(3):
        _books(c, 120, 790, 480 + row * 142, 112, dim=0.0)
        c.shape(box(110, 480 + row * 142, 800, 492 + row * 142), "#7c6447")
    c.blurred(2.4)
    c.shape(curve(path("330,900 346,720 400,640 520,640 580,720 600,900")), "#7d7a72", "#5c5a55", rough=1.5)
    face(c, 458, 540, 92, -1)
    parted(c, 458, 540, 92, HAIR["blue"], -1, strands=54)
    c.shape(box(100, 800, 800, 930), "#7a5f42", "#59452f")
    c.shape(box(90, 786, 810, 806), "#9a7c57")
    for number in range(6):
        c.shape(
            box(150 + number * 3, 772 - number * 19, 282 - number * 4, 788 - number * 19),
            SPINES[number + 2],
            rough=1,
        )
    c.shape(path("620,786 626,700 720,694 728,786"), "#5b5f61", "#44484b")
    # Reflections of the street lie on the glass.
    c.shape(path("110,150 330,150 120,900 110,900"), "#cdd8de", alpha=0.2, soft=6)
    c.shape(path("640,150 720,150 500,930 410,930"), "#cdd8de", alpha=0.15, soft=6)
    c.shape(curve(path("610,940 624,690 690,590 790,610 850,760 850,940")), "#212a35", alpha=0.36, soft=5)
    c.shape(oval(724, 540, 60, 78), "#212a35", alpha=0.36, soft=5)
    for _ in range(14):
        x, y = c.hand.uniform(130, 780), c.hand.uniform(170, 420)
        c.shape(oval(x, y, 15, 15), "#e8eef0", alpha=0.22, soft=3, rough=0)
    wood = "#31424a"
    for piece in (
        box(-10, -10, 910, 150),
        box(-10, -10, 112, 1210),
        box(790, -10, 910, 1210),
        box(-10, 930, 910, 1060),
    ):
        c.shape(piece, light(wood, 0.07), dark(wood, 0.2), rough=1)
    c.shape(box(90, 40, 810, 122), dark(wood, 0.25), rough=1)
    # The sign: an open book between two flourishes, no words.
    for side in (-1, 1):
        c.shape(
            curve(
                [
                    (450, 70),
                    (450 + side * 26, 60),
                    (450 + side * 56, 66),
                    (450 + side * 56, 100),
                    (450 + side * 26, 96),
                    (450, 106),
                ],
                steps=4,
            ),
            "#cbb88d",
            "#a8956c",
            rough=0.8,
        )
        c.stroke(
            [(450 + side * 84, 84), (450 + side * 160, 62), (450 + side * 220, 98), (450 + side * 310, 80)],
            "#cbb88d",
            8,
        )
        c.shape(oval(450 + side * 326, 80, 7, 7), "#cbb88d")
    c.line([(450, 70), (450, 106)], "#6d5d40", 3)
    for panel in (140, 470):
        c.shape(box(panel, 960, panel + 290, 1040), dark(wood, 0.22), dark(wood, 0.1), rough=1)
    c.wash([(0, "#c4ccd4"), (1, "#97a4b2")], 1056, 1200, body=0.35)
    c.shape(box(120, 1070, 790, 1130), "#ecd9a8", alpha=0.4, soft=22)
    c.specks(220, "#f2f3f0", (0, 0, 900, 1200), (0.8, 3), alpha=0.85, soft=0.5)
    c.specks(36, "#f7f7f3", (0, 0, 900, 1200), (4, 8), alpha=0.6, soft=3)
    return c
