"""The stylesheet with the positions of memories on the map."""

import re
from dataclasses import dataclass

from erasure.session.map_css import map_css

WIDTH, HEIGHT = 900, 745  # pixels: the shape of the map that the layout computes with


@dataclass
class Row:
    number: int | None
    x: float | None = 0.5
    y: float | None = 0.25
    w: float | None = 0.1
    h: float | None = 0.1
    tilt: float = 0.0123


def test_each_placed_memory_has_one_rule() -> None:
    sheet = map_css([Row(1), Row(2, x=0.75, tilt=-0.04)])
    assert re.findall(r"^\.m(\d+)\{left:([\d.]+)%;top:([\d.]+)%;.*;rotate:(-?[\d.]+)rad\}$", sheet, re.M) == [
        ("1", "50.000", "25.000", "0.0123"),
        ("2", "75.000", "25.000", "-0.0400"),
    ]


def test_prints_keep_their_shape_on_a_map_of_any_shape() -> None:
    """Width and height are shares of the same side of the map, the narrower one, in container units."""
    widths = re.search(r"width:min\(([\d.]+)cqw,([\d.]+)cqh\)", map_css([Row(1)]))
    heights = re.search(r"height:min\(([\d.]+)cqw,([\d.]+)cqh\)", map_css([Row(1)]))
    assert widths
    assert heights
    ratios = [round(float(widths[side]) / float(heights[side]), 3) for side in (1, 2)]
    assert ratios == [round(WIDTH / HEIGHT, 3)] * 2


def test_memories_without_a_place_or_number_are_left_out() -> None:
    assert ".m" not in map_css([Row(None), Row(3, x=None), Row(4, h=None)])


def test_positions_apply_in_wide_windows_and_in_print_only() -> None:
    sheet = map_css([Row(1)])
    assert sheet.startswith("@media (min-width: 1100px), print {")
    assert sheet.rstrip().endswith("}\n}")
