"""Computes the places of memories on the map: newest at the right, linked ones close, little overlap.

It runs once, when the map is locked; the result is stored. It simulates forces between rectangles (prints).
The constants were chosen by eye on maps of 30 to 200 memories.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from math import sqrt

WIDTH, HEIGHT = 900.0, 745.0  # pixels, as are the margins and MAX_SIDE
# Free margins: at the top for the counts, at the right for the first strip of land.
MARGIN_TOP, MARGIN_RIGHT, MARGIN_BOTTOM, MARGIN_LEFT = 48.0, 46.0, 22.0, 16.0
GOLDEN = 0.618034
MAX_TILT = 0.045  # radians, either way
MAX_SIDE = 150.0
CROWDED_COUNT = 60  # from this number of prints on, they cover a larger share of the area
STEPS, SETTLE_STEPS = 420, 200
PULL_X, PULL_Y, PULL_LINK, REPULSION, GAP = 0.03, 0.012, 0.008, 0.28, 0.1
# Limits of width / height. A very wide or tall print would push its neighbors far from their place in time,
# so it is drawn cropped.
ASPECTS = (0.4, 2.4)


@dataclass(frozen=True)
class Print:
    """A memory to place. n: its number, 1 is the oldest. aspect: width / height. links: numbers of others."""

    n: int
    intensity: float
    aspect: float
    links: set[int] = field(default_factory=set)


@dataclass(frozen=True)
class Placed:
    """The result: center and size of a print, in 0..1 of the map's width and height; tilt in radians."""

    n: int
    x: float
    y: float
    w: float
    h: float
    tilt: float


@dataclass(slots=True)
class _Body:
    """A print in the simulation: center, size and the center it is pulled to, in pixels."""

    n: int
    x: float
    y: float
    w: float
    h: float
    target_x: float
    target_y: float


def layout(prints: Sequence[Print], width: float = WIDTH, height: float = HEIGHT) -> list[Placed]:
    """Return the places of `prints` on a map of `width` by `height` pixels, sorted by `n`.

    Without randomness: the same input gives the same result. Links to unknown numbers are ignored.
    """
    ordered = sorted(prints, key=lambda item: item.n)
    if not ordered:
        return []
    side = _side(len(ordered), width, height)
    bodies = [_body(item, i, len(ordered), side, width, height) for i, item in enumerate(ordered)]
    index_of = {body.n: i for i, body in enumerate(bodies)}
    links = sorted(
        {
            (min(index_of[item.n], index_of[other]), max(index_of[item.n], index_of[other]))
            for item in ordered
            for other in item.links
            if other in index_of and other != item.n
        }
    )
    gap = GAP * side
    cell = max(max(body.w, body.h) for body in bodies) + gap
    for step in range(STEPS):
        # In the last SETTLE_STEPS the pulls fade out, so that prints that still overlap can separate.
        strength = min(1.0, (STEPS - step) / SETTLE_STEPS)
        _pull(bodies, links, strength)
        for a, b in _neighbors(bodies, cell):
            _push_apart(a, b, gap)
        for body in bodies:
            _keep_inside(body, width, height)
    return [
        Placed(
            n=body.n,
            x=round(body.x / width, 5),
            y=round(body.y / height, 5),
            w=round(body.w / width, 5),
            h=round(body.h / height, 5),
            tilt=_tilt(body.n),
        )
        for body in bodies
    ]


def _side(count: int, width: float, height: float) -> float:
    """Return the side of an average print in pixels."""
    share = 0.60 if count >= CROWDED_COUNT else 0.50
    free = max(1.0, width - MARGIN_LEFT - MARGIN_RIGHT) * max(1.0, height - MARGIN_TOP - MARGIN_BOTTOM)
    return min(MAX_SIDE, sqrt(free / count * share))


def _body(item: Print, rank: int, count: int, side: float, width: float, height: float) -> _Body:
    area = (side * (0.74 + 0.062 * min(10.0, max(0.0, item.intensity)))) ** 2
    aspect = min(ASPECTS[1], max(ASPECTS[0], item.aspect or 1.0))
    w, h = sqrt(area * aspect), sqrt(area / aspect)
    across = (rank + 0.5) / count
    down = (item.n * GOLDEN) % 1
    x = MARGIN_LEFT + across * (width - MARGIN_LEFT - MARGIN_RIGHT)
    y = MARGIN_TOP + h / 2 + down * max(0.0, height - MARGIN_TOP - MARGIN_BOTTOM - h)
    return _Body(item.n, x, y, w, h, x, y)


def _tilt(n: int) -> float:
    """Return a tilt that looks random but is the same each time: Knuth's multiplicative hash of n."""
    return round(((n * 2654435761 % 2**32) / 2**31 - 1) * MAX_TILT, 4)


def _pull(bodies: list[_Body], links: list[tuple[int, int]], strength: float) -> None:
    """Move each print towards its target, and linked prints towards each other. strength: 0..1."""
    for body in bodies:
        body.x += (body.target_x - body.x) * PULL_X * strength
        body.y += (body.target_y - body.y) * PULL_Y * strength
    for i, j in links:
        a, b = bodies[i], bodies[j]
        by_x, by_y = (b.x - a.x) * PULL_LINK * strength, (b.y - a.y) * PULL_LINK * strength
        a.x += by_x
        a.y += by_y
        b.x -= by_x
        b.y -= by_y


def _neighbors(bodies: list[_Body], cell: float) -> Iterator[tuple[_Body, _Body]]:
    """Yield the pairs that may overlap, found by a grid whose cells are at least as large as any print."""
    grid: dict[tuple[int, int], list[_Body]] = {}
    for body in bodies:
        grid.setdefault((int(body.x // cell), int(body.y // cell)), []).append(body)
    for (column, row), here in grid.items():
        for i, a in enumerate(here):
            for b in here[i + 1 :]:
                yield a, b
        for beside in ((column + 1, row), (column - 1, row + 1), (column, row + 1), (column + 1, row + 1)):
            for b in grid.get(beside, ()):
                for a in here:
                    yield a, b


def _push_apart(a: _Body, b: _Body, gap: float) -> None:
    """Move two overlapping prints along the axis on which they overlap least."""
    by_x = (a.w + b.w) / 2 + gap - abs(a.x - b.x)
    if by_x <= 0:
        return
    by_y = (a.h + b.h) / 2 + gap - abs(a.y - b.y)
    if by_y <= 0:
        return
    if by_x < by_y:
        move = REPULSION * by_x * (1 if (a.x, a.n) <= (b.x, b.n) else -1)
        a.x -= move
        b.x += move
    else:
        move = REPULSION * by_y * (1 if (a.y, a.n) <= (b.y, b.n) else -1)
        a.y -= move
        b.y += move


def _keep_inside(body: _Body, width: float, height: float) -> None:
    body.x = min(
        max(body.x, MARGIN_LEFT + body.w / 2),
        max(MARGIN_LEFT + body.w / 2, width - MARGIN_RIGHT - body.w / 2),
    )
    body.y = min(
        max(body.y, MARGIN_TOP + body.h / 2),
        max(MARGIN_TOP + body.h / 2, height - MARGIN_BOTTOM - body.h / 2),
    )
