"""The order that tests.order gives the tests."""

from collections import Counter

from tests.order import spread


def test_each_part_has_its_share_of_each_kind_in_order_and_files_stay_whole() -> None:
    rolled_back, committing = [["a1", "a2"], ["b1", "b2"]], [["c1"], ["d1"], ["e1", "e2"]]
    assert spread([rolled_back, committing], 2) == ["a1", "a2", "c1", "e1", "b1", "b2", "d1", "e2"]


def test_with_one_part_each_kind_follows_the_previous_one() -> None:
    assert spread([[["b"], ["a1", "a2"]], [["1"], ["2"]]], 1) == ["b", "a1", "a2", "1", "2"]


def test_every_test_stays_once_and_each_part_has_the_kinds_in_order() -> None:
    for parts in (1, 2, 3, 7):
        for counts in ([5, 0, 3], [40, 1, 2], [1, 90, 40], [0, 0, 3]):
            kinds = [
                [[(kind, file, number) for number in range(3)] for file in range(count)]
                for kind, count in enumerate(counts)
            ]
            ordered = spread(kinds, parts)
            assert Counter(ordered) == Counter(item for groups in kinds for group in groups for item in group)
            begin = 0
            for part in range(parts):
                end = begin + (len(ordered) - begin) // (parts - part)
                shown = [kind for kind, _file, _number in ordered[begin:end]]
                assert shown == sorted(shown)
                begin = end
            assert begin == len(ordered)
