"""The drawings of the server: the shore on the map between erased and other memories, and the time strip."""

import re
from itertools import pairwise

import pytest

from erasure.session import chart
from tests.erasure.session.session_states import a_memory, memories_in_a_row

ROWS = 101


def coast(shore: chart.Shore) -> list[float]:
    """The x coordinates of the shore, from top to bottom."""
    line = re.match(r"M([\d. L-]+)H", shore.land)
    assert line is not None
    return [float(point.split()[0]) for point in line[1].split("L")]


def test_before_the_first_destruction_the_shore_is_at_the_right_edge() -> None:
    line = coast(chart.shore(memories_in_a_row(["waiting"] * 10)))
    assert len(line) == ROWS
    assert min(line) > 940


def test_the_shore_separates_waiting_from_destroyed_memories() -> None:
    line = coast(chart.shore(memories_in_a_row(["waiting"] * 4 + ["destroyed"] * 6)))
    # The fourth memory ends at 0.4 of the map's width. The fifth, which is destroyed, begins there.
    assert 370 < min(line) <= max(line) < 470


def test_each_destruction_moves_the_shore_to_the_left() -> None:
    mean_positions = [
        sum(coast(chart.shore(memories_in_a_row(["waiting"] * (10 - gone) + ["destroyed"] * gone)))) / ROWS
        for gone in range(10)
    ]
    assert mean_positions == sorted(mean_positions, reverse=True)
    assert len(set(mean_positions)) == len(mean_positions)


def test_when_all_memories_are_destroyed_the_map_is_all_land() -> None:
    shore = chart.shore(memories_in_a_row(["destroyed"] * 5))
    assert (shore.land, shore.waterlines) == ("M0 0H1010V1000H0Z", [])


def test_a_protected_memory_does_not_stop_the_shore() -> None:
    kept = chart.shore(memories_in_a_row(["destroyed", "protected", "destroyed"]))
    assert kept.land == "M0 0H1010V1000H0Z"


def test_a_destroyed_memory_among_waiting_ones_is_an_island() -> None:
    alone = chart.shore(memories_in_a_row(["waiting", "destroyed", *["waiting"] * 8]))
    assert alone.land.count("Z") == 2
    assert min(coast(alone)) > 800


def test_the_same_map_is_drawn_the_same_each_time() -> None:
    assert chart.shore(memories_in_a_row(["waiting", "destroyed"])) == chart.shore(
        memories_in_a_row(["waiting", "destroyed"])
    )


@pytest.mark.parametrize(("intensity", "height"), [(0, 5), (5, 20), (10, 35), (14, 35)])
def test_bars_are_5_to_35_pixels_high(intensity: int, height: int) -> None:
    (bar,) = chart.bars([a_memory(1, intensity=intensity)])
    assert (bar.height, bar.y + bar.height) == (height, chart.STRIP_LINE)


def test_bars_are_in_time_order_and_do_not_touch() -> None:
    bars = chart.bars(memories_in_a_row(["destroyed"] * 200))
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
    memories = memories_in_a_row(["waiting", "destroyed", "waiting"])
    lines = chart.links(memories, [[1, 3], [1, 2], [1, None], [1, 9]])
    assert [(line.a, line.b, line.loose) for line in lines] == [(1, 3, False), (1, 2, True)]
    assert lines[0].path.startswith("M166.7 500.0Q")


def childhood_memory(name: str) -> dict[str, object]:
    return a_memory(None, id=name, zone="childhood", x=None, y=None, w=None, h=None)


def test_a_path_leads_from_a_copy_in_childhood_to_its_memory() -> None:
    memories = [
        childhood_memory("first"),
        childhood_memory("last"),
        a_memory(1, "held", x=0.5, w=0.1, y=0.25),
    ]
    alarm = {"kind": "off-map", "n": 1, "copy": "last"}
    (low,) = chart.copy_paths([alarm], memories)
    (high,) = chart.copy_paths([{**alarm, "copy": "first"}], memories)
    assert (low.split("C")[0], low.split()[-2:]) == ("M-16 867.5", ["450.0", "250.0"])
    assert high.split("C")[0] == "M-16 762.5"


def test_more_than_eight_childhood_memories_are_drawn_closer() -> None:
    memories = [*(childhood_memory(str(i)) for i in range(9)), a_memory(1, "held")]
    alarm = {"kind": "off-map", "n": 1}
    starts = [chart.copy_paths([{**alarm, "copy": str(i)}], memories)[0].split("C")[0] for i in (8, 7)]
    assert starts == ["M-16 894.0", "M-16 842.0"]


@pytest.mark.parametrize(
    "alarm",
    [
        {"kind": "doctor", "n": None},
        {"kind": "off-map", "n": 1, "copy": "nobody"},
        {"kind": "off-map", "n": 9, "copy": "child"},
    ],
)
def test_without_a_copy_or_a_memory_there_is_no_path(alarm: dict[str, object]) -> None:
    assert chart.copy_paths([alarm], [childhood_memory("child"), a_memory(1, "held")]) == []
