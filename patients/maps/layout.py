"""Where memories lie on the map: newest to the right, linked ones near each other, hardly any overlap.

Computed once, when the map is locked, and stored. Its figures were chosen by eye on maps of 30 to 200.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from math import sqrt

WIDTH, HEIGHT = 900.0, 745.0
# Kept free: at the top for the counts, at the right for the first strip of shore.
TOP, RIGHT, BOTTOM, LEFT = 48.0, 46.0, 22.0, 16.0
GOLDEN = 0.618034
TILT = 0.045  # radians, either way
LARGEST = 150.0
CROWDED = 60  # prints; from here on they share more of the area
STEPS, SETTLING = 420, 200
PULL_X, PULL_Y, PULL_LINK, REPULSION, GAP = 0.03, 0.012, 0.008, 0.28, 0.1
# A panorama or a ribbon would push its neighbors out of their time: beyond this it is cropped.
ASPECTS = (0.4, 2.4)


@dataclass(frozen=True)
class Print:
    """A memory to be placed: `n` counts from the oldest, intensity 0-10, aspect is width / height."""

    n: int
    intensity: float
    aspect: float
    links: set[int] = field(default_factory=set)


@dataclass(frozen=True)
class Placed:
    """Middle and size of a print in 0..1 of the map's width and height; tilt in radians."""

    n: int
    x: float
    y: float
    w: float
    h: float
    tilt: float


@dataclass(slots=True)
class _Body:
    n: int
    x: float
    y: float
    w: float
    h: float
    to_x: float
    to_y: float


def layout(prints: Sequence[Print], width: float = WIDTH, height: float = HEIGHT) -> list[Placed]:
    """Place `prints` on a map of `width` by `height` pixels, in order of `n`. The same input lands the same.

    Links to numbers that are not among the prints are ignored.
    """
    ordered = sorted(prints, key=lambda item: item.n)
    if not ordered:
        return []
    side = _side(len(ordered), width, height)
    bodies = [_body(item, i, len(ordered), side, width, height) for i, item in enumerate(ordered)]
    place = {body.n: i for i, body in enumerate(bodies)}
    links = sorted(
        {
            (min(place[item.n], place[other]), max(place[item.n], place[other]))
            for item in ordered
            for other in item.links
            if other in place and other != item.n
        }
    )
    gap = GAP * side
    cell = max(max(body.w, body.h) for body in bodies) + gap
    for step in range(STEPS):
        # Towards the end the pulls let go, so that what still overlaps can come apart.
        grip = min(1.0, (STEPS - step) / SETTLING)
        _pull(bodies, links, grip)
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
    share = 0.60 if count >= CROWDED else 0.50
    free = max(1.0, width - LEFT - RIGHT) * max(1.0, height - TOP - BOTTOM)
    return min(LARGEST, sqrt(free / count * share))


def _body(item: Print, rank: int, count: int, side: float, width: float, height: float) -> _Body:
    area = (side * (0.74 + 0.062 * min(10.0, max(0.0, item.intensity)))) ** 2
    aspect = min(ASPECTS[1], max(ASPECTS[0], item.aspect or 1.0))
    w, h = sqrt(area * aspect), sqrt(area / aspect)
    across = (rank + 0.5) / count
    down = (item.n * GOLDEN) % 1
    x = LEFT + across * (width - LEFT - RIGHT)
    y = TOP + h / 2 + down * max(0.0, height - TOP - BOTTOM - h)
    return _Body(item.n, x, y, w, h, x, y)


def _tilt(n: int) -> float:
    """A tilt that looks thrown and is the same each time: Knuth's multiplicative hash of the number."""
    return round(((n * 2654435761 % 2**32) / 2**31 - 1) * TILT, 4)


def _pull(bodies: list[_Body], links: list[tuple[int, int]], grip: float) -> None:
    for body in bodies:
        body.x += (body.to_x - body.x) * PULL_X * grip
        body.y += (body.to_y - body.y) * PULL_Y * grip
    for i, j in links:
        a, b = bodies[i], bodies[j]
        by_x, by_y = (b.x - a.x) * PULL_LINK * grip, (b.y - a.y) * PULL_LINK * grip
        a.x += by_x
        a.y += by_y
        b.x -= by_x
        b.y -= by_y


def _neighbors(bodies: list[_Body], cell: float) -> Iterator[tuple[_Body, _Body]]:
    """Pairs near enough to touch, by a grid whose cell no print exceeds."""
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
    body.x = min(max(body.x, LEFT + body.w / 2), max(LEFT + body.w / 2, width - RIGHT - body.w / 2))
    body.y = min(max(body.y, TOP + body.h / 2), max(TOP + body.h / 2, height - BOTTOM - body.h / 2))
