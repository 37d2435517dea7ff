"""Every worker begins with long tests, and has its share of each kind: a plugin of pytest.

pytest-xdist gives each worker an equal part of the tests, in order, and a worker that is done takes tests
over from the end of another's part. pytest-django puts first the tests whose changes are rolled back, then
those that commit, then those without a database, so that one worker would have all of the last. And a long
test that comes last keeps one processor busy and the others idle. So each part gets its share of each kind,
and of each kind the long tests first. Files stay whole, because their tests share fixtures. Apart from that
the order stays what pytest-randomly has made it.
"""

from collections.abc import Sequence
from itertools import groupby
from typing import TypeVar

import pytest

from tests.limits import limit

T = TypeVar("T")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Order the tests that were chosen and shuffled."""
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
    """Everything in `kinds`, whose groups hold the items of a file, in parts with some of each kind.

    The parts are those that pytest-xdist will make: each an equal share of what is left. A group is cut where
    a part is full.
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
