"""The places of memories: inside the map, in time, apart, and the same each time."""

import random
import time

import pytest

from patients.maps.layout import MAX_TILT, Placed, Print, layout

WIDTH, HEIGHT = 900, 745


def a_map(count: int, seed: int = 7) -> list[Print]:
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
    """Share of all print area that lies under another print."""
    covered = total = 0.0
    for i, a in enumerate(placed):
        total += a.w * a.h
        for b in placed[i + 1 :]:
            across = (a.w + b.w) / 2 - abs(a.x - b.x)
            down = (a.h + b.h) / 2 - abs(a.y - b.y)
            covered += max(0.0, across) * max(0.0, down)
    return covered / total


def rank_correlation(placed: list[Placed]) -> float:
    """Spearman's rho between time and place from left to right."""
    count = len(placed)
    ranks = {item.n: rank for rank, item in enumerate(sorted(placed, key=lambda item: item.x))}
    by_time = sorted(placed, key=lambda item: item.n)
    off = sum((ranks[item.n] - rank) ** 2 for rank, item in enumerate(by_time))
    return 1 - 6 * off / (count * (count**2 - 1))


@pytest.mark.parametrize("count", [1, 2, 3, 40, 59, 60, 200])
def test_every_print_is_placed_inside_the_map(count: int) -> None:
    placed = layout(a_map(count))
    assert [item.n for item in placed] == list(range(1, count + 1))
    for item in placed:
        assert 0 <= item.x - item.w / 2 < item.x + item.w / 2 <= 1
        # The counts stand in the top 48 pixels.
        assert 48 / HEIGHT - 1e-4 <= item.y - item.h / 2 < item.y + item.h / 2 <= 1
        assert -MAX_TILT <= item.tilt <= MAX_TILT


@pytest.mark.parametrize("count", [40, 200])
def test_time_runs_from_left_to_right(count: int) -> None:
    assert rank_correlation(layout(a_map(count))) > 0.97


@pytest.mark.parametrize(("count", "most"), [(3, 0.0), (40, 0.02), (200, 0.08)])
def test_prints_hardly_cover_each_other(count: int, most: float) -> None:
    assert overlap(layout(a_map(count))) <= most


def test_one_map_lands_the_same_each_time_in_whatever_order_it_comes() -> None:
    prints = a_map(40)
    assert layout(prints) == layout(list(reversed(prints)))


def test_sizes_follow_intensity_and_keep_the_shape_of_the_picture() -> None:
    weak, strong = layout([Print(1, 0, 1.5), Print(2, 10, 1.5)])
    assert strong.w / weak.w == pytest.approx((0.74 + 0.62) / 0.74, rel=1e-3)
    assert (strong.w * WIDTH) / (strong.h * HEIGHT) == pytest.approx(1.5, rel=1e-3)
    # Never above 150 pixels a side for a print of middling intensity, however few there are.
    assert weak.w * WIDTH * weak.h * HEIGHT == pytest.approx((150 * 0.74) ** 2, rel=1e-3)


def test_linked_memories_lie_closer_than_they_would_alone() -> None:
    def distance(links: bool) -> float:
        prints = [Print(n, 5, 1.0, {40} if links and n == 1 else set()) for n in range(1, 41)]
        placed = layout(prints)
        return abs(placed[0].x - placed[-1].x)

    assert distance(links=True) < distance(links=False)


def test_a_link_to_a_memory_off_the_map_is_ignored() -> None:
    assert layout([Print(1, 5, 1.0, {99, 1})]) == layout([Print(1, 5, 1.0)])


def test_an_empty_map_has_no_places() -> None:
    assert layout([]) == []


def test_a_large_map_is_laid_out_while_somebody_waits() -> None:
    prints = a_map(200)
    began = time.process_time()
    layout(prints)
    assert time.process_time() - began < 3
