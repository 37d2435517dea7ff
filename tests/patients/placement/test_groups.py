"""Which keepsakes are grouped: by the gaps between their times, and by their fingerprints."""

from collections.abc import Sequence
from typing import Any
from uuid import uuid4

import pytest
from django.utils import translation

from patients.keepsakes.models import Keepsake, KeepsakeFields
from patients.placement.groups import ALIKE, like_groups, time_groups
from patients.placement.sheet import ReadKeepsake
from patients.placement.titles import common_day, part_of_day, proposed_title

ALL = 2**64 - 1


def keepsake(taken: str = "", kind: str = "photo", **fields: Any) -> ReadKeepsake:
    return ReadKeepsake(Keepsake(pk=uuid4(), kind=kind), KeepsakeFields(taken=taken, **fields))


def bits(n: int) -> str:
    """A fingerprint that differs from that of 0 in n bits."""
    return f"{ALL ^ ((1 << n) - 1):016x}"


def shape(groups: Sequence[Sequence[ReadKeepsake]]) -> list[list[str]]:
    return [[one.fields.taken or one.fields.day for one in group] for group in groups]


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        # Four hours are not too long, a minute more is.
        (["2004-02-14T18:00:00", "2004-02-14T22:00:00"], [2]),
        (["2004-02-14T18:00:00", "2004-02-14T22:00:01"], [1, 1]),
        # A feast goes on after midnight; the morning after is another group.
        (["2004-02-14T21:00:00", "2004-02-15T00:30:00", "2004-02-15T09:00:00"], [2, 1]),
        # Twenty hours without a gap stay together; more are divided at the longest gap.
        ([f"2004-02-14T{hour:02d}:00:00" for hour in range(0, 21, 4)], [6]),
        (
            [
                *("2004-02-14T02:00:00", "2004-02-14T05:00:00", "2004-02-14T08:00:00"),
                *("2004-02-14T11:00:00", "2004-02-14T15:00:00", "2004-02-14T18:00:00"),
                *("2004-02-14T21:00:00", "2004-02-14T23:00:00"),
            ],
            [4, 4],
        ),
        # Days without a time are grouped by day.
        (["2004-02-14", "2004-02-14", "2004-02-15"], [2, 1]),
        # They belong to the group that begins on that day, if it is the only one.
        (["2004-02-14T18:00:00", "2004-02-14"], [2]),
        (["2004-02-14T08:00:00", "2004-02-14T18:00:00", "2004-02-14"], [1, 1, 1]),
        # A clock that was never set, and one that is ahead, say nothing.
        (["1980-01-01T00:00:00", "2999-02-14T18:00:00", "2004-02-14"], [1]),
    ],
)
def test_time_groups_end_at_long_gaps(times: list[str], expected: list[int]) -> None:
    groups = time_groups([one for one in map(keepsake, times) if one.exact_day])
    assert sorted(map(len, groups)) == sorted(expected)
    firsts = [group[0].sort_key for group in groups]
    assert firsts == sorted(firsts)


def test_the_patients_own_date_goes_before_the_cameras() -> None:
    camera, exact = keepsake("2004-02-14T18:00:00"), keepsake("2004-02-14T18:10:00", day="2003-05-01")
    rough = keepsake("2004-02-14T18:10:00", day="2003-07-01", when="about 2003")
    assert shape(time_groups([one for one in (camera, exact, rough) if one.exact_day])) == [
        ["2004-02-14T18:10:00"],
        ["2004-02-14T18:00:00"],
    ]
    assert (exact.exact_day, rough.exact_day, rough.date) == ("2003-05-01", "", "about 2003")


def test_like_groups_are_all_like_their_first() -> None:
    near, chained, far = bits(ALIKE), bits(ALIKE + 1), bits(64)
    prints = [bits(0), near, chained, far]
    first, second, third, fourth = (keepsake(fingerprint=one) for one in prints)
    # The third is like the second, but not like the first: no chain leads from one to another.
    assert like_groups([first, second, third, fourth]) == [[first, second]]
    assert like_groups([second, first, third, fourth]) == [[second, first, third]]
    assert like_groups([first, fourth]) == []


def test_pictures_are_not_like_sounds_or_pages() -> None:
    one = bits(0)
    picture, sound = keepsake(fingerprint=one), keepsake(kind="recording", sound=one)
    page, pages = keepsake(kind="letter", prints=[one]), keepsake(kind="letter", prints=[bits(64), one])
    assert like_groups([picture, sound, page]) == []
    assert like_groups([picture, page, sound, pages]) == [[page, pages]]


EVENING = ["2004-02-14T18:00:00", "2004-02-14T19:00:00", "2004-02-14T20:00:00", "2004-02-14T15:00:00"]


@pytest.mark.parametrize(
    ("keepsakes", "english", "vietnamese"),
    [
        (
            [keepsake("2004-02-14T19:00:00")],
            "A photograph, 14 February 2004, evening",
            "Một bức ảnh, 14 tháng 2, 2004, buổi tối",
        ),
        (
            [keepsake(time) for time in EVENING],
            "4 photographs, 14 February 2004, evening",
            "4 bức ảnh, 14 tháng 2, 2004, buổi tối",
        ),
        # Half of them are from another part of the day.
        (
            [keepsake(time) for time in [*EVENING[:2], "2004-02-14T15:10:00", "2004-02-14T15:20:00"]],
            "4 photographs, 14 February 2004",
            "4 bức ảnh, 14 tháng 2, 2004",
        ),
        # After midnight is still the day before.
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
        # Their one caption is the title.
        (
            [keepsake(caption="The ice"), keepsake("2004-02-14"), keepsake(caption="The ice")],
            "The ice",
            "The ice",
        ),
        ([keepsake(caption="The ice"), keepsake(caption="The sea")], "2 photographs", "2 bức ảnh"),
    ],
)
def test_titles_say_what_is_known(keepsakes: list[ReadKeepsake], english: str, vietnamese: str) -> None:
    with translation.override("en"):
        assert proposed_title(keepsakes) == english
    with translation.override("vi"):
        assert proposed_title(keepsakes) == vietnamese


def test_a_group_has_a_day_only_if_all_of_it_is_from_one() -> None:
    late, early = keepsake("2004-02-14T23:00:00"), keepsake("2004-02-15T22:59:00")
    assert common_day([late, early]) == "2004-02-14"
    assert common_day([late, keepsake("2004-02-15T23:00:00")]) == ""
    assert common_day([late, keepsake("2004-02-15")]) == ""
    assert common_day([late, keepsake()]) == "2004-02-14"
    assert common_day([keepsake()]) == part_of_day([keepsake("2004-02-15")]) == ""
