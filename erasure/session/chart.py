"""SVG paths and bars of the session's map and time strip, drawn by the server so that no script is needed.

The map is drawn as a sea with land on its right. Memories that are left lie in the sea; where memories were
destroyed, it is land, which is blank paper. The newest memories lie on the right and are erased first, so the
shore moves from right to left. Coordinates are 0..1000 in both directions; SVG stretches them to the window.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import cos, exp, sin, tau
from typing import Any

UNIT = 1000.0
LAND_RIGHT = 1010.0  # right end of the land, past the map's edge, so that no strip of sea shows there
ROW_HEIGHT = 10.0  # the shore has one point per row
# How far above and below itself a memory affects the shore (standard deviation of its weight, in units).
WEIGHT_DEVIATION = 90.0
# x of the shore before anything is destroyed: between the newest memory and the right edge of the map.
FIRST_SHORE = 968.0
# Lines in the water along the shore: (distance from it in units, opacity).
WATERLINES = ((7.0, 0.6), (14.0, 0.42), (22.0, 0.3), (31.0, 0.2), (41.0, 0.12), (52.0, 0.07))
GONE = "destroyed"
ISLAND_CORNERS = 28  # corners of the outline of the land drawn for one destroyed memory
# Childhood memories stand in a column: the middle of the lowest one and the step to the next above it, both
# as fractions of the map's height, the step if there are more than eight, and x of their right edge in units.
CHILD_LOWEST, CHILD_STEP, CHILD_STEP_MANY, CHILD_RIGHT = 0.8675, 0.105, 0.052, -16.0
STRIP_LINE = 45  # y of the line the bars stand on, in pixels from the top of the strip


@dataclass(frozen=True)
class Bar:
    """One memory in the time strip. `x` and `width` are percentages of the strip, `height` is in pixels."""

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
    """A chapter in the time strip. `x` and `width` are percentages of the strip.

    color: a color's name (green, red, orange, blue, none).
    """

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
    loose: bool  # one of its two memories is destroyed


def bars(memories: Sequence[dict[str, Any]]) -> list[Bar]:
    """Return one bar for each memory, in the given order; 5 to 35 pixels high by intensity."""
    if not memories:
        return []
    slot = 100 / len(memories)
    bar_width = min(1.0, slot * 0.58)
    return [
        Bar(
            n=item["n"],
            x=round(slot * i + (slot - bar_width) / 2, 3),
            width=round(bar_width, 3),
            height=5 + 3 * min(10, max(0, item["intensity"])),
            state=item["state"],
        )
        for i, item in enumerate(memories)
    ]


def spans(memories: Sequence[dict[str, Any]], chapters: Sequence[dict[str, str]]) -> list[Span]:
    """Return the chapters drawn under the bars. Each reaches from its first memory to its last."""
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
    """Return a slightly curved line for each pair of linked memories. `pairs` are memory numbers."""
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


def copy_paths(alarms: Sequence[dict[str, Any]], memories: Sequence[dict[str, Any]]) -> list[str]:
    """Return a path from each childhood memory in which a copy was found to the memory on the map it copies.

    This is the version without a script, which cannot measure the page: childhood memories stand left of the
    sea, at heights set by the stylesheet (`.childhood` in session.css) and repeated in the constants above.
    """
    childhood = [item["id"] for item in memories if item["zone"] != "map"]
    places = {item["n"]: item for item in memories if item["zone"] == "map" and item["x"] is not None}
    out = []
    for alarm in alarms:
        target, copy = places.get(alarm["n"]), str(alarm.get("copy", ""))
        if alarm["kind"] != "off-map" or target is None or copy not in childhood:
            continue
        from_last = len(childhood) - 1 - childhood.index(copy)
        step = CHILD_STEP if len(childhood) <= 8 else CHILD_STEP_MANY
        y1 = (CHILD_LOWEST + (step - CHILD_STEP) / -2 - step * from_last) * UNIT
        x2, y2 = (target["x"] - target["w"] / 2) * UNIT, target["y"] * UNIT
        lift = min(120.0, abs(x2 - CHILD_RIGHT) * 0.16)
        thirds = (CHILD_RIGHT + (x2 - CHILD_RIGHT) * 0.3, CHILD_RIGHT + (x2 - CHILD_RIGHT) * 0.7)
        out.append(
            f"M{CHILD_RIGHT:g} {y1:.1f}C{thirds[0]:.1f} {y1 - lift:.1f} {thirds[1]:.1f} {y2 - lift:.1f}"
            f" {x2:.1f} {y2:.1f}"
        )
    return out


@dataclass(frozen=True)
class Shore:
    """The land as one path to fill, and the waterlines along its shore as (path, opacity)."""

    land: str
    waterlines: list[tuple[str, float]]


def shore(memories: Sequence[dict[str, Any]]) -> Shore:
    """Return the land and its waterlines.

    In each row the shore separates the memories near it that remain from those that are destroyed.
    """
    line = _shore_line(memories)
    if max(line) <= 0:
        return Shore(land=f"M0 0H{LAND_RIGHT:g}V{UNIT:g}H0Z", waterlines=[])
    islands = "".join(_island(item) for item in memories if item["state"] == GONE)
    return Shore(
        land=f"M{_points(line)}H{LAND_RIGHT:g}V0Z{islands}",
        waterlines=[
            (f"M{_points([x - out * (1 + 0.18 * sin(i * 0.7 + out)) for i, x in enumerate(line)])}", opacity)
            for out, opacity in WATERLINES
        ],
    )


def _island(item: dict[str, Any]) -> str:
    """Return the outline of land for one destroyed memory, which shows if there is still sea around it."""
    x, y = item["x"] * UNIT, item["y"] * UNIT
    turns = [-i * tau / ISLAND_CORNERS for i in range(ISLAND_CORNERS)]
    reach = [0.72 * (1 + 0.09 * sin(3 * turn + item["n"]) + 0.05 * sin(7 * turn)) for turn in turns]
    points = (
        f"{x + item['w'] * UNIT * far * cos(turn):.1f} {y + item['h'] * UNIT * far * sin(turn):.1f}"
        for turn, far in zip(turns, reach, strict=True)
    )
    # The points run in the same direction as the land's, so that an overlap stays filled (nonzero rule).
    return f"M{'L'.join(points)}Z"


def _shore_line(memories: Sequence[dict[str, Any]]) -> list[float]:
    """Return x of the shore for each row.

    Near memories weigh more than far ones. Protected memories are ignored, because they stay where they are.
    """
    placed = [
        (item["x"] * UNIT, item["y"] * UNIT, item["w"] * UNIT / 2, item["state"] == GONE)
        for item in memories
        if item["state"] != "protected"
    ]
    rows = [i * ROW_HEIGHT for i in range(int(UNIT / ROW_HEIGHT) + 1)]
    if not any(gone for *_position, gone in placed):
        line = [FIRST_SHORE] * len(rows)
    elif all(gone for *_position, gone in placed):
        return [0.0] * len(rows)
    else:
        line = [_shore_at(y, placed) for y in rows]
    return [round(_roughen(x, y), 1) for x, y in zip(_smooth(line), rows, strict=True)]


def _shore_at(y: float, placed: list[tuple[float, float, float, bool]]) -> float:
    """Return the x that best separates remaining memories (left of it) from destroyed ones in the row at `y`.

    "Best": the memories on the wrong side have the smallest sum of weights.
    """
    weighted = sorted(
        (x, half, exp(-(((y - at) / WEIGHT_DEVIATION) ** 2) / 2), gone) for x, at, half, gone in placed
    )
    # Start with land everywhere. Move the shore past one memory after another and keep the best place.
    wrong = best = sum(weight for _x, _half, weight, gone in weighted if not gone)
    front = 0.0
    for x, half, weight, gone in weighted:
        wrong += weight if gone else -weight
        if wrong < best - 1e-9:
            best, front = wrong, min(FIRST_SHORE, x + half)
    return front


def _smooth(line: list[float]) -> list[float]:
    for _turn in range(3):
        padded = [line[0], line[0], *line, line[-1], line[-1]]
        line = [sum(padded[i : i + 5]) / 5 for i in range(len(line))]
    return line


def _roughen(x: float, y: float) -> float:
    """Return `x` shifted so that the line looks like a coast.

    Not random: a refresh must not move the coast.
    """
    return x + 6.5 * sin(y * 0.021 + 1) + 4.0 * sin(y * 0.067 + 2) + 2.6 * sin(y * 0.19) + 1.7 * sin(y * 0.43)


def _points(line: Sequence[float]) -> str:
    return "L".join(f"{x:.1f} {i * ROW_HEIGHT:g}" for i, x in enumerate(line))
