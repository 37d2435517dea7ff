"""The map and the time strip as the server draws them."""

import re
from itertools import pairwise

import pytest

from erasure.session import chart
from tests.erasure.session.presents import a_memory, a_row

ROWS = 101


def coast(shore: chart.Shore) -> list[float]:
    """x of the shore from top to bottom."""
    line = re.match(r"M([\d. L-]+)H", shore.land)
    assert line is not None
    return [float(point.split()[0]) for point in line[1].split("L")]


def test_before_anything_is_gone_the_shore_is_at_the_right_edge() -> None:
    line = coast(chart.shore(a_row(["waiting"] * 10)))
    assert len(line) == ROWS
    assert min(line) > 940


def test_the_shore_parts_what_is_left_from_what_is_gone() -> None:
    line = coast(chart.shore(a_row(["waiting"] * 4 + ["destroyed"] * 6)))
    # The fourth memory ends at .4 of the map, the fifth, gone, begins there.
    assert 370 < min(line) <= max(line) < 470


def test_the_shore_only_ever_moves_left() -> None:
    fronts = [
        sum(coast(chart.shore(a_row(["waiting"] * (10 - gone) + ["destroyed"] * gone)))) / ROWS
        for gone in range(10)
    ]
    assert fronts == sorted(fronts, reverse=True)
    assert len(set(fronts)) == len(fronts)


def test_when_all_is_gone_all_is_paper() -> None:
    shore = chart.shore(a_row(["destroyed"] * 5))
    assert (shore.land, shore.waterlines) == ("M0 0H1010V1000H0Z", [])


def test_what_is_kept_does_not_hold_the_shore_back() -> None:
    kept = chart.shore(a_row(["destroyed", "protected", "destroyed"]))
    assert kept.land == "M0 0H1010V1000H0Z"


def test_a_memory_gone_amid_the_sea_is_an_island() -> None:
    alone = chart.shore(a_row(["waiting", "destroyed", *["waiting"] * 8]))
    assert alone.land.count("Z") == 2
    assert min(coast(alone)) > 800


def test_the_same_map_is_drawn_the_same_each_time() -> None:
    assert chart.shore(a_row(["waiting", "destroyed"])) == chart.shore(a_row(["waiting", "destroyed"]))


@pytest.mark.parametrize(("intensity", "height"), [(0, 5), (5, 20), (10, 35), (14, 35)])
def test_bars_are_5_to_35_pixels_high(intensity: int, height: int) -> None:
    (bar,) = chart.bars([a_memory(1, intensity=intensity)])
    assert (bar.height, bar.y + bar.height) == (height, chart.STRIP_LINE)


def test_bars_stand_in_time_order_without_touching() -> None:
    bars = chart.bars(a_row(["destroyed"] * 200))
    assert [bar.n for bar in bars] == list(range(1, 201))
    assert all(a.x + a.width < b.x for a, b in pairwise(bars))
    assert 0 <= bars[0].x < bars[-1].x + bars[-1].width <= 100


def test_a_chapter_spans_its_memories() -> None:
    memories = [a_memory(i, chapter=0 if i < 4 else 1) for i in range(1, 11)]
    chapters = [
        {"name": "Green", "color": "green", "from": "", "to": ""},
        {"name": "Red", "color": "red", "from": "", "to": ""},
        {"name": "Nothing of it", "color": "blue", "from": "", "to": ""},
    ]
    spans = chart.spans(memories, chapters)
    assert [(span.name, span.color) for span in spans] == [("Green", "green"), ("Red", "red")]
    assert [round(span.x) for span in spans] == [0, 30]
    assert [round(span.x + span.width) for span in spans] == [30, 100]


def test_links_join_memories_of_the_map_only() -> None:
    memories = a_row(["waiting", "destroyed", "waiting"])
    lines = chart.links(memories, [[1, 3], [1, 2], [1, None], [1, 9]])
    assert [(line.a, line.b, line.loose) for line in lines] == [(1, 3, False), (1, 2, True)]
    assert lines[0].path.startswith("M166.7 500.0Q")
