"""Groups of keepsakes by time and by likeness, and the titles and days that are proposed for them."""

from collections.abc import Sequence
from typing import Any
from uuid import uuid4

import pytest
from django.utils import translation

from patients.keepsakes.models import Keepsake, KeepsakeFields
from patients.placement.groups import ALIKE, like_groups, time_groups
from patients.placement.sheet import ReadKeepsake
from patients.placement.titles import common_day, part_of_day, proposed_title

ALL_BITS = 2**64 - 1


def keepsake(taken: str = "", kind: str = "photo", **fields: Any) -> ReadKeepsake:
    return ReadKeepsake(Keepsake(pk=uuid4(), kind=kind), KeepsakeFields(taken=taken, **fields))


def differing(n: int) -> str:
    """A fingerprint that differs from `differing(0)` in n bits."""
    return f"{ALL_BITS ^ ((1 << n) - 1):016x}"


def times_of(groups: Sequence[Sequence[ReadKeepsake]]) -> list[list[str]]:
    """The camera's time of each keepsake of each group; the patient's day where there is none."""
    return [[one.fields.taken or one.fields.day for one in group] for group in groups]


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        # A gap of four hours does not divide a group. One second more does.
        (["2004-02-14T18:00:00", "2004-02-14T22:00:00"], [2]),
        (["2004-02-14T18:00:00", "2004-02-14T22:00:01"], [1, 1]),
        # A party goes on after midnight. The morning after is another group.
        (["2004-02-14T21:00:00", "2004-02-15T00:30:00", "2004-02-15T09:00:00"], [2, 1]),
        # A group of twenty hours stays whole. A longer one is divided at its longest gap.
        ([f"2004-02-14T{hour:02d}:00:00" for hour in range(0, 21, 4)], [6]),
        (
            [
                *("2004-02-14T02:00:00", "2004-02-14T05:00:00", "2004-02-14T08:00:00"),
                *("2004-02-14T11:00:00", "2004-02-14T15:00:00", "2004-02-14T18:00:00"),
                *("2004-02-14T21:00:00", "2004-02-14T23:00:00"),
            ],
            [4, 4],
        ),
        # Keepsakes that have a day but no time are grouped by day.
        (["2004-02-14", "2004-02-14", "2004-02-15"], [2, 1]),
        # If just one group begins on that day, they belong to it.
        (["2004-02-14T18:00:00", "2004-02-14"], [2]),
        (["2004-02-14T08:00:00", "2004-02-14T18:00:00", "2004-02-14"], [1, 1, 1]),
        # The time of a camera whose clock was never set, or is ahead of today, is ignored.
        (["1980-01-01T00:00:00", "2999-02-14T18:00:00", "2004-02-14"], [1]),
    ],
)
def test_time_groups_are_divided_at_gaps_and_sorted_by_time(times: list[str], expected: list[int]) -> None:
    groups = time_groups([read for read in map(keepsake, times) if read.exact_day])
    assert sorted(map(len, groups)) == sorted(expected)
    firsts = [group[0].sort_key for group in groups]
    assert firsts == sorted(firsts)


def test_the_patients_own_date_replaces_the_cameras() -> None:
    camera, exact = keepsake("2004-02-14T18:00:00"), keepsake("2004-02-14T18:10:00", day="2003-05-01")
    rough = keepsake("2004-02-14T18:10:00", day="2003-07-01", when="about 2003")
    assert times_of(time_groups([read for read in (camera, exact, rough) if read.exact_day])) == [
        ["2004-02-14T18:10:00"],
        ["2004-02-14T18:00:00"],
    ]
    assert (exact.exact_day, rough.exact_day, rough.date) == ("2003-05-01", "", "about 2003")


def test_every_keepsake_of_a_like_group_is_like_the_first() -> None:
    near, chained, far = differing(ALIKE), differing(ALIKE + 1), differing(64)
    prints = [differing(0), near, chained, far]
    first, second, third, fourth = (keepsake(fingerprint=one) for one in prints)
    # The third is like the second, but not like the first, so it is not in the first's group.
    assert like_groups([first, second, third, fourth]) == [[first, second]]
    assert like_groups([second, first, third, fourth]) == [[second, first, third]]
    assert like_groups([first, fourth]) == []


def test_pictures_sounds_and_pages_are_compared_only_with_their_kind() -> None:
    same = differing(0)
    picture, sound = keepsake(fingerprint=same), keepsake(kind="recording", sound=same)
    page, pages = (
        keepsake(kind="letter", prints=[same]),
        keepsake(kind="letter", prints=[differing(64), same]),
    )
    assert like_groups([picture, sound, page]) == []
    assert like_groups([picture, page, sound, pages]) == [[page, pages]]


# Three of these four times are in the evening.
EVENING_TIMES = ["2004-02-14T18:00:00", "2004-02-14T19:00:00", "2004-02-14T20:00:00", "2004-02-14T15:00:00"]


@pytest.mark.parametrize(
    ("keepsakes", "english", "vietnamese"),
    [
        (
            [keepsake("2004-02-14T19:00:00")],
            "A photograph, 14 February 2004, evening",
            "Một bức ảnh, 14 tháng 2, 2004, buổi tối",
        ),
        (
            [keepsake(time) for time in EVENING_TIMES],
            "4 photographs, 14 February 2004, evening",
            "4 bức ảnh, 14 tháng 2, 2004, buổi tối",
        ),
        # Only half of them are from the evening: no part of the day is named.
        (
            [keepsake(time) for time in [*EVENING_TIMES[:2], "2004-02-14T15:10:00", "2004-02-14T15:20:00"]],
            "4 photographs, 14 February 2004",
            "4 bức ảnh, 14 tháng 2, 2004",
        ),
        # A night that goes on after midnight has the day on which it began.
        (
            [keepsake("2004-02-14T23:30:00"), keepsake("2004-02-15T00:30:00")],
            "2 photographs, 14 February 2004, night",
            "2 bức ảnh, 14 tháng 2, 2004, đêm",
        ),
        (
            [keepsake("2004-02-14"), keepsake("", kind="letter", day="2004-02-14")],
            "2 things, 14 February 2004",
            "2 thứ, 14 tháng 2, 2004",
        ),
        ([keepsake(kind="letter"), keepsake(kind="letter")], "2 letters", "2 bức thư"),
        ([keepsake(kind="video")], "A video", "Một video"),
        (
            [keepsake(day="2003-07-01", when="about 2003", kind="object")],
            "A thing, about 2003",
            "Một đồ vật, about 2003",
        ),
        # If all captions are the same, the caption is the title.
        (
            [keepsake(caption="The ice"), keepsake("2004-02-14"), keepsake(caption="The ice")],
            "The ice",
            "The ice",
        ),
        ([keepsake(caption="The ice"), keepsake(caption="The sea")], "2 photographs", "2 bức ảnh"),
    ],
)
def test_the_proposed_title_is_the_common_caption_or_says_what_and_when(
    keepsakes: list[ReadKeepsake], english: str, vietnamese: str
) -> None:
    with translation.override("en"):
        assert proposed_title(keepsakes) == english
    with translation.override("vi"):
        assert proposed_title(keepsakes) == vietnamese


def test_keepsakes_have_a_common_day_if_they_are_less_than_24_hours_apart() -> None:
    late, next_day = keepsake("2004-02-14T23:00:00"), keepsake("2004-02-15T22:59:00")
    assert common_day([late, next_day]) == "2004-02-14"
    assert common_day([late, keepsake("2004-02-15T23:00:00")]) == ""
    assert common_day([late, keepsake("2004-02-15")]) == ""
    assert common_day([late, keepsake()]) == "2004-02-14"
    assert common_day([keepsake()]) == part_of_day([keepsake("2004-02-15")]) == ""
