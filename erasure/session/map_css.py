"""Positions of the memories as a stylesheet.

The content security policy forbids style attributes and allows stylesheets of the same origin.
"""

from collections.abc import Iterable
from typing import Protocol

from patients.maps.layout import HEIGHT, WIDTH


class OnTheMap(Protocol):
    """A numbered memory. x, y, w, h are fractions of the map, tilt is in radians: patients/maps/layout.py."""

    number: int | None
    x: float | None
    y: float | None
    w: float | None
    h: float | None
    tilt: float


def map_css(placed: Iterable[OnTheMap]) -> str:
    """Return one rule `.m<number>` for each memory that has a place; others are left out.

    The rules hold for wide windows and for printing. A memory keeps its shape whatever shape the map has: its
    size is relative to the narrower side of the map (container units).
    """
    rules = [rule for item in placed if (rule := _rule(item))]
    return "\n".join(["@media (min-width: 1100px), print {", *rules, "}", ""])


def _rule(item: OnTheMap) -> str:
    if item.number is None or item.x is None or item.y is None or item.w is None or item.h is None:
        return ""
    width, height = item.w * WIDTH, item.h * HEIGHT
    return (
        f".m{item.number:d}{{left:{item.x * 100:.3f}%;top:{item.y * 100:.3f}%;"
        f"width:min({width / WIDTH * 100:.3f}cqw,{width / HEIGHT * 100:.3f}cqh);"
        f"height:min({height / WIDTH * 100:.3f}cqw,{height / HEIGHT * 100:.3f}cqh);"
        f"rotate:{item.tilt:.4f}rad}}"
    )
