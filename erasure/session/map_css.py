"""Places of memories as a stylesheet of the same origin, because the page may carry no style attributes."""

from collections.abc import Iterable
from typing import Protocol

from patients.maps.layout import HEIGHT, WIDTH


class OnTheMap(Protocol):
    """A numbered memory; places in 0..1 of the map, tilt in radians (patients/maps/layout.py)."""

    number: int | None
    x: float | None
    y: float | None
    w: float | None
    h: float | None
    tilt: float


def map_css(placed: Iterable[OnTheMap]) -> str:
    """Return one rule `.m<number>` for each memory that has a place; others are left out.

    On paper the map lies as it does on a wide window. Prints keep their shape whatever the map's: their size
    follows its narrower side (container units).
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
