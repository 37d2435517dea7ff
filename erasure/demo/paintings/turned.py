"""Her, turned away: hair, and hardly a face."""

from __future__ import annotations

from erasure.demo.paintings.bookshop import SPINES
from erasure.demo.paintings.brush import Canvas, Color, box, curve, dark, light, oval, path
from erasure.demo.paintings.figures import HAIR, glint, hair


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
            c.shape(
                box(x, floor - c.hand.uniform(120, 168), x + wide, floor),
                light(tone, 0.15),
                dark(tone, 0.15),
                across=True,
                rough=1,
            )
            x += wide
        c.shape(box(-10, floor, 910, floor + 24), "#5f4d3a")
    c.glow(190, 160, 460, "#fbefce", 0.6)
    c.blurred(9)
    c.shape(
        curve(path("160,1230 200,1040 330,930 520,900 720,960 830,1080 860,1230")),
        "#6f7a7c",
        "#454e53",
        rough=2,
        body=0.4,
    )
    c.stroke([(300, 990), (270, 1090), (262, 1220)], "#3b4449", 13, alpha=0.6)
    # Only an edge of the cheek, and the corner of a laugh.
    c.shape(curve(path("330,520 282,600 290,690 340,760 430,780 460,560")), "#e6cab2", "#c39f88", rough=1)
    c.stroke([(304, 668), (322, 690), (350, 684)], "#99574d", 9, alpha=0.85)
    c.shape(oval(346, 640, 34, 24), "#cd907d", alpha=0.4, soft=10)
    hair(
        c,
        path("500,250 360,290 330,480 420,700 330,1020"),
        path("540,246 720,300 780,520 800,760 870,1050"),
        HAIR["red"],
        strands=190,
        width=5.4,
        sun=0.6,
        ragged=70,
    )
    for _ in range(16):
        y = c.hand.uniform(560, 840)
        c.stroke(
            [(740, y - 160), (820, y - 20), (c.hand.uniform(850, 900), y + c.hand.uniform(-80, 80))],
            glint(HAIR["red"], 0.2),
            5,
            alpha=0.75,
        )
    c.stroke(path("430,300 356,400 372,560 440,700"), glint(HAIR["red"], 0.3), 14, alpha=0.6)
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
    c.shape(path("730,230 756,130 824,130 850,230"), "#e9d9b6", "#cdb88f")
    c.line([(790, 230), (790, 960)], "#5f5248", 8)

    def dress(x: float, tone: Color, flare: float, dots: bool) -> None:
        c.line([(x, 392), (x, 420)], "#5c5349", 5)
        c.line([(x - 70, 462), (x, 420), (x + 70, 462)], "#6d5b49", 7)
        shape = [
            (x - 46, 452),
            (x - 18, 500),
            (x + 18, 500),
            (x + 46, 452),
            (x + 62, 520),
            (x + 42, 620),
            (x + flare, 930),
            (x, 950),
            (x - flare, 930),
            (x - 42, 620),
            (x - 62, 520),
        ]
        c.shape(curve(shape), light(tone, 0.14), dark(tone, 0.22), rough=1.4, body=0.35)
        for fold in (-0.5, 0.0, 0.5):
            c.stroke(
                [(x + fold * 50, 640), (x + fold * flare, 780), (x + fold * flare * 1.4, 920)],
                dark(tone, 0.35),
                9,
                alpha=0.5,
            )
        if dots:
            for _ in range(46):
                c.shape(oval(c.about(x, 60), c.hand.uniform(540, 900), 5, 5), light(tone, 0.6), rough=0.4)

    dress(170, "#6c7d7d", 130, dots=False)
    dress(740, "#a08a86", 112, dots=True)
    c.shape(
        curve(path("320,1230 330,1000 326,800 380,690 530,690 580,800 580,1000 600,1230")),
        "#efe7d6",
        "#c3b8a3",
        rough=1.5,
    )
    for side in (-1, 1):
        x = 455 + side * 90
        c.stroke([(x, 720), (x + side * 110, 640), (x + side * 184, 440)], "#d9bca3", 54)
        c.shape(oval(455 + side * 284, 428, 26, 30), "#d9bca3")
    hair(
        c,
        path("444,350 356,380 326,500 330,640 296,820"),
        path("464,350 556,380 586,500 576,640 620,830"),
        HAIR["orange"],
        strands=120,
        width=4.2,
        sun=0.6,
        ragged=44,
    )
    return c
