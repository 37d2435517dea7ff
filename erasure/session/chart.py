"""The session's map and time strip as the server draws them, complete before any script runs.

Everything is in the sea's own units, 0..1000 both ways, and is stretched to the window by SVG.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import cos, exp, sin, tau
from typing import Any

UNIT = 1000.0
BEYOND = 1010.0  # past the edge, so that no sliver of sea is left there
ROW = 10.0
# A memory says where the shore is in rows nearer than about this (standard deviation, in units).
REACH = 90.0
# At the start the shore stands between the newest print and the edge of the map.
EDGE = 968.0
WATERLINES = ((7.0, 0.6), (14.0, 0.42), (22.0, 0.3), (31.0, 0.2), (41.0, 0.12), (52.0, 0.07))
GONE = "destroyed"
ISLAND = 28  # corners of the paper where one memory was
# The lowest print in childhood and the step to the next above it, in shares of the map's height, the step
# where there are more than eight, and where their right edge is in the sea's units.
CHILD_LAST, CHILD_STEP, CHILD_MANY, CHILD_EDGE = 0.8675, 0.105, 0.052, -16.0
STRIP_LINE = 45  # pixels from the strip's top to where its bars stand


@dataclass(frozen=True)
class Bar:
    """One memory in the time strip: place and width in percent, height in pixels."""

    n: int
    x: float
    width: float
    height: int
    state: str

    @property
    def y(self) -> int:
        return STRIP_LINE - self.height

    @property
    def middle(self) -> float:
        return round(self.x + self.width / 2, 3)


@dataclass(frozen=True)
class Span:
    """A chapter in the time strip, in percent. `color` is a word; `begins` labels it where it has no name."""

    index: int
    name: str
    color: str
    x: float
    width: float


@dataclass(frozen=True)
class Link:
    a: int
    b: int
    path: str
    loose: bool  # one of its ends is gone


def bars(memories: Sequence[dict[str, Any]]) -> list[Bar]:
    """One bar for each memory on the map, oldest first; 5 to 35 pixels high by intensity."""
    if not memories:
        return []
    slot = 100 / len(memories)
    thick = min(1.0, slot * 0.58)
    return [
        Bar(
            n=item["n"],
            x=round(slot * i + (slot - thick) / 2, 3),
            width=round(thick, 3),
            height=5 + 3 * min(10, max(0, item["intensity"])),
            state=item["state"],
        )
        for i, item in enumerate(memories)
    ]


def spans(memories: Sequence[dict[str, Any]], chapters: Sequence[dict[str, str]]) -> list[Span]:
    """The band of chapters under the bars, each from its first memory to its last."""
    if not memories:
        return []
    slot = 100 / len(memories)
    out = []
    for index, chapter in enumerate(chapters):
        places = [i for i, item in enumerate(memories) if item["chapter"] == index]
        if places:
            width = (places[-1] - places[0] + 1) * slot
            out.append(
                Span(
                    index=index,
                    name=chapter.get("name", ""),
                    color=chapter.get("color", "none"),
                    x=round(places[0] * slot + 0.1, 3),
                    width=round(max(0.2, width - 0.2), 3),
                )
            )
    return out


def links(memories: Sequence[dict[str, Any]], pairs: Sequence[Sequence[int | None]]) -> list[Link]:
    """Lines between memories that call each other up, a little bowed, as if pinned with thread."""
    by_number = {item["n"]: item for item in memories}
    out = []
    for a, b in pairs:
        if a not in by_number or b not in by_number or a is None or b is None:
            continue
        one, other = by_number[a], by_number[b]
        x1, y1, x2, y2 = (round(v * UNIT, 1) for v in (one["x"], one["y"], other["x"], other["y"]))
        bow = 0.08 if (a + b) % 2 else -0.08
        middle_x = round((x1 + x2) / 2 + (y2 - y1) * bow, 1)
        middle_y = round((y1 + y2) / 2 - (x2 - x1) * bow, 1)
        out.append(
            Link(
                a=a,
                b=b,
                path=f"M{x1} {y1}Q{middle_x} {middle_y} {x2} {y2}",
                loose=GONE in {one["state"], other["state"]},
            )
        )
    return out


def ways(alarms: Sequence[dict[str, Any]], memories: Sequence[dict[str, Any]]) -> list[str]:
    """A path from each copy in childhood to the memory it holds, where no script can measure the page.

    Childhood lies at the left of the sea, at heights the sheet sets (`.childhood` in session.css).
    """
    childhood = [item["id"] for item in memories if item["zone"] != "map"]
    places = {item["n"]: item for item in memories if item["zone"] == "map" and item["x"] is not None}
    out = []
    for alarm in alarms:
        target, copy = places.get(alarm["n"]), str(alarm.get("copy", ""))
        if alarm["kind"] != "off-map" or target is None or copy not in childhood:
            continue
        from_last = len(childhood) - 1 - childhood.index(copy)
        step = CHILD_STEP if len(childhood) <= 8 else CHILD_MANY
        y1 = (CHILD_LAST + (step - CHILD_STEP) / -2 - step * from_last) * UNIT
        x2, y2 = (target["x"] - target["w"] / 2) * UNIT, target["y"] * UNIT
        lift = min(120.0, abs(x2 - CHILD_EDGE) * 0.16)
        thirds = (CHILD_EDGE + (x2 - CHILD_EDGE) * 0.3, CHILD_EDGE + (x2 - CHILD_EDGE) * 0.7)
        out.append(
            f"M{CHILD_EDGE:g} {y1:.1f}C{thirds[0]:.1f} {y1 - lift:.1f} {thirds[1]:.1f} {y2 - lift:.1f}"
            f" {x2:.1f} {y2:.1f}"
        )
    return out


@dataclass(frozen=True)
class Shore:
    """Land as one path to be filled, and the waterlines before it as (path, opacity)."""

    land: str
    waterlines: list[tuple[str, float]]


def shore(memories: Sequence[dict[str, Any]]) -> Shore:
    """Where the paper begins, row by row: between what is still there and what is gone nearby."""
    line = _front(memories)
    if max(line) <= 0:
        return Shore(land=f"M0 0H{BEYOND:g}V{UNIT:g}H0Z", waterlines=[])
    islands = "".join(_island(item) for item in memories if item["state"] == GONE)
    return Shore(
        land=f"M{_points(line)}H{BEYOND:g}V0Z{islands}",
        waterlines=[
            (f"M{_points([x - out * (1 + 0.18 * sin(i * 0.7 + out)) for i, x in enumerate(line)])}", opacity)
            for out, opacity in WATERLINES
        ],
    )


def _island(item: dict[str, Any]) -> str:
    """Paper where one memory was, in case the sea is still around it."""
    x, y = item["x"] * UNIT, item["y"] * UNIT
    turns = [-i * tau / ISLAND for i in range(ISLAND)]
    reach = [0.72 * (1 + 0.09 * sin(3 * turn + item["n"]) + 0.05 * sin(7 * turn)) for turn in turns]
    points = (
        f"{x + item['w'] * UNIT * far * cos(turn):.1f} {y + item['h'] * UNIT * far * sin(turn):.1f}"
        for turn, far in zip(turns, reach, strict=True)
    )
    # Round the same way as the land: where they overlap, both stay filled.
    return f"M{'L'.join(points)}Z"


def _front(memories: Sequence[dict[str, Any]]) -> list[float]:
    """x of the shore for each row. Memories vote by nearness; those that are kept have no say."""
    votes = [
        (item["x"] * UNIT, item["y"] * UNIT, item["w"] * UNIT / 2, item["state"] == GONE)
        for item in memories
        if item["state"] != "protected"
    ]
    rows = [i * ROW for i in range(int(UNIT / ROW) + 1)]
    if not any(gone for *_place, gone in votes):
        line = [EDGE] * len(rows)
    elif all(gone for *_place, gone in votes):
        return [0.0] * len(rows)
    else:
        line = [_front_at(y, votes) for y in rows]
    return [round(_cut(x, y), 1) for x, y in zip(_smooth(line), rows, strict=True)]


def _front_at(y: float, votes: list[tuple[float, float, float, bool]]) -> float:
    """The x that parts what is left of this row's neighbors from what is gone, least wrongly."""
    near = sorted((x, half, exp(-(((y - at) / REACH) ** 2) / 2), gone) for x, at, half, gone in votes)
    # Start with all of it land, and let the sea in from the left as long as that is right.
    wrong = best = sum(weight for _x, _half, weight, gone in near if not gone)
    front = 0.0
    for x, half, weight, gone in near:
        wrong += weight if gone else -weight
        if wrong < best - 1e-9:
            best, front = wrong, min(EDGE, x + half)
    return front


def _smooth(line: list[float]) -> list[float]:
    for _turn in range(3):
        padded = [line[0], line[0], *line, line[-1], line[-1]]
        line = [sum(padded[i : i + 5]) / 5 for i in range(len(line))]
    return line


def _cut(x: float, y: float) -> float:
    """Let the edge wander like a coast; the same each time, so that a refresh does not make it swim."""
    return x + 6.5 * sin(y * 0.021 + 1) + 4.0 * sin(y * 0.067 + 2) + 2.6 * sin(y * 0.19) + 1.7 * sin(y * 0.43)


def _points(line: Sequence[float]) -> str:
    return "L".join(f"{x:.1f} {i * ROW:g}" for i, x in enumerate(line))
