"""A pytest plugin that orders tests so that all xdist workers finish at about the same time.

pytest-xdist gives each worker an equal part of the tests, in order. A worker that has finished takes tests
from the end of another worker's part. pytest-django sorts tests by kind: rolled back, committing, without a
database. So one worker would get all tests of the last kind, and a long test at the end would keep one
processor busy and the others idle. This plugin gives each part a share of each kind, the long tests of each
kind first. Files stay whole, because their tests share fixtures. Otherwise the order is pytest-randomly's.
"""

from collections.abc import Sequence
from itertools import groupby
from typing import TypeVar

import pytest

from tests.limits import limit

T = TypeVar("T")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Order the selected tests, after pytest-randomly has shuffled them."""
    usual = float(config.getini("timeout"))
    kinds: dict[tuple[int, bool], list[list[pytest.Item]]] = {}
    for (kind, _path), found in groupby(items, key=lambda item: (kind_of(item), item.path)):
        group = list(found)
        is_short = all(limit(item) <= usual for item in group)
        kinds.setdefault((kind, is_short), []).append(group)
    workers = getattr(config, "workerinput", {}).get("workercount", 1)
    items[:] = spread([kinds[key] for key in sorted(kinds)], workers)


def kind_of(item: pytest.Item) -> int:
    """0 for a test whose changes are rolled back, 1 for one that commits, 2 for one without a database."""
    marker = item.get_closest_marker("django_db")
    if marker is None:
        return 2
    return 1 if marker.kwargs.get("transaction") else 0


def spread(kinds: Sequence[Sequence[Sequence[T]]], parts: int) -> list[T]:
    """The items of `kinds` in an order in which each of `parts` equal parts has some of each kind.

    kinds: for each kind, groups that each hold the tests of one file. Parts are cut as pytest-xdist will cut
    them. A group is split only where a part is full.
    """
    left = sum(len(group) for groups in kinds for group in groups)
    sizes: list[int] = []
    for part in range(parts):
        sizes.append(left // (parts - part))
        left -= sizes[-1]
    filled: list[list[T]] = [[] for _size in sizes]
    for groups in kinds:
        dealt = [0] * parts
        for group in groups:
            rest = list(group)
            while rest:
                open_parts = [part for part in range(parts) if len(filled[part]) < sizes[part]]
                part = min(open_parts, key=dealt.__getitem__)
                taken = rest[: sizes[part] - len(filled[part])]
                filled[part] += taken
                dealt[part] += len(taken)
                rest = rest[len(taken) :]
    return [item for part in filled for item in part]
