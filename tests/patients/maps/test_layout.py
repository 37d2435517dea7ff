"""The layout of the map: inside its borders, in order of time, with little overlap, and reproducible."""

import random
import time

import pytest

from patients.maps.layout import MAX_TILT, Placed, Print, layout

WIDTH, HEIGHT = 900, 745  # pixels


def make_prints(count: int, seed: int = 7) -> list[Print]:
    dice = random.Random(seed)  # noqa: S311 (a fixed map, no secret)
    prints = [
        Print(n=n, intensity=dice.randint(0, 10), aspect=dice.choice([0.75, 1.0, 1.33, 1.5]), links=set())
        for n in range(1, count + 1)
    ]
    for _link in range(count if count > 2 else 0):
        a, b = dice.sample(prints, 2)
        a.links.add(b.n)
        b.links.add(a.n)
    return prints


def overlap(placed: list[Placed]) -> float:
    """The share of the area of all prints that is covered by another print."""
    covered = total = 0.0
    for i, a in enumerate(placed):
        total += a.w * a.h
        for b in placed[i + 1 :]:
            across = (a.w + b.w) / 2 - abs(a.x - b.x)
            down = (a.h + b.h) / 2 - abs(a.y - b.y)
            covered += max(0.0, across) * max(0.0, down)
    return covered / total


def rank_correlation(placed: list[Placed]) -> float:
    """Spearman's rank correlation between time and position from left to right."""
    count = len(placed)
    ranks = {item.n: rank for rank, item in enumerate(sorted(placed, key=lambda item: item.x))}
    by_time = sorted(placed, key=lambda item: item.n)
    squared_differences = sum((ranks[item.n] - rank) ** 2 for rank, item in enumerate(by_time))
    return 1 - 6 * squared_differences / (count * (count**2 - 1))


@pytest.mark.parametrize("count", [1, 2, 3, 40, 59, 60, 200])
def test_every_print_is_placed_inside_the_map(count: int) -> None:
    placed = layout(make_prints(count))
    assert [item.n for item in placed] == list(range(1, count + 1))
    for item in placed:
        assert 0 <= item.x - item.w / 2 < item.x + item.w / 2 <= 1
        # The top 48 pixels show counts.
        assert 48 / HEIGHT - 1e-4 <= item.y - item.h / 2 < item.y + item.h / 2 <= 1
        assert -MAX_TILT <= item.tilt <= MAX_TILT


@pytest.mark.parametrize("count", [40, 200])
def test_time_runs_from_left_to_right(count: int) -> None:
    assert rank_correlation(layout(make_prints(count))) > 0.97


@pytest.mark.parametrize(("count", "most"), [(3, 0.0), (40, 0.02), (200, 0.08)])
def test_prints_hardly_cover_each_other(count: int, most: float) -> None:
    assert overlap(layout(make_prints(count))) <= most


def test_the_layout_does_not_depend_on_the_order_of_the_prints() -> None:
    prints = make_prints(40)
    assert layout(prints) == layout(list(reversed(prints)))


def test_sizes_depend_on_intensity_and_keep_the_aspect_ratio() -> None:
    # A side is 0.74 of the usual one for intensity 0, and 0.062 more for each step of intensity.
    weak, strong = layout([Print(1, 0, 1.5), Print(2, 10, 1.5)])
    assert strong.w / weak.w == pytest.approx((0.74 + 0.62) / 0.74, rel=1e-3)
    assert (strong.w * WIDTH) / (strong.h * HEIGHT) == pytest.approx(1.5, rel=1e-3)
    # A print of intensity 5 has at most 150 pixels a side, even if there are few prints.
    assert weak.w * WIDTH * weak.h * HEIGHT == pytest.approx((150 * 0.74) ** 2, rel=1e-3)


def test_linked_memories_are_closer_than_without_the_link() -> None:
    def distance(links: bool) -> float:
        prints = [Print(n, 5, 1.0, {40} if links and n == 1 else set()) for n in range(1, 41)]
        placed = layout(prints)
        return abs(placed[0].x - placed[-1].x)

    assert distance(links=True) < distance(links=False)


def test_a_link_to_a_memory_off_the_map_is_ignored() -> None:
    assert layout([Print(1, 5, 1.0, {99, 1})]) == layout([Print(1, 5, 1.0)])


def test_the_layout_of_an_empty_map_is_empty() -> None:
    assert layout([]) == []


def test_the_layout_of_a_large_map_takes_less_than_three_seconds() -> None:
    prints = make_prints(200)
    began = time.process_time()
    layout(prints)
    assert time.process_time() - began < 3
