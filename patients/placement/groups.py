"""Groups keepsakes that belong together, by time and by likeness.

By time: keepsakes in the order of their times; where more than `GAP` passes between two of them, another
group begins. A group that lasts longer than `MAX_DURATION` is divided at its longest gap, until no part does.
So the evening of a feast and its end after midnight are one group, and the morning after is another. What has
only a day belongs to the group that begins on that day, if there is just one; else all such keepsakes of a
day are a group of their own.

By likeness: for what has no date. Two pictures are alike if their fingerprints differ in at most `ALIKE` of
64 bits. A group is one picture with all that are like it, never what is only like one of those, so that no
chain leads from one scene to another. Fingerprints are unsealed, compared in memory within one case, and
stored nowhere else.
"""

from collections.abc import Iterable, Sequence
from datetime import timedelta

from patients.placement.sheet import ReadKeepsake

# One event seldom has four hours without a picture in its middle; a night's sleep is longer.
GAP = timedelta(hours=4)
MAX_DURATION = timedelta(hours=20)

ALIKE = 16
"""This was measured on sixteen sample photos. Six variants were made of each, as if the camera had moved by
up to 8 % of the picture, had turned by up to 1.5 degrees, and had exposed it 15 % brighter or darker. Of the
pairs of variants of one photo, 84 % differ in at most 16 bits (63 % in at most `NEAR`, 12). Of 17,136 pairs
of cut-outs of different scenes, 2 differ in at most 16 bits."""


def time_groups(keepsakes: Sequence[ReadKeepsake]) -> list[list[ReadKeepsake]]:
    """Return groups of the keepsakes that have an exact date, sorted by time, and in each group too."""
    timed = sorted(
        (keepsake for keepsake in keepsakes if keepsake.taken_at),
        key=lambda keepsake: (keepsake.taken_at, keepsake.key),
    )
    groups = [part for group in _split(timed, GAP) for part in _shortened(group)]
    by_day: dict[str, list[ReadKeepsake]] = {}
    for keepsake in keepsakes:
        if keepsake.exact_day and keepsake.taken_at is None:
            by_day.setdefault(keepsake.exact_day, []).append(keepsake)
    for day, of_day in by_day.items():
        beginning = [group for group in groups if group[0].exact_day == day]
        if len(beginning) == 1:
            beginning[0].extend(of_day)
        else:
            groups.append(of_day)
    return sorted(groups, key=lambda group: group[0].sort_key)


def _pause(one: ReadKeepsake, other: ReadKeepsake) -> timedelta:
    """Return the time from one keepsake to another. Errors: ValueError if one of them has no time."""
    if one.taken_at is None or other.taken_at is None:
        raise ValueError("only what has a time is compared by time")
    return other.taken_at - one.taken_at


def _split(timed: list[ReadKeepsake], gap: timedelta) -> list[list[ReadKeepsake]]:
    """Split keepsakes in the order of time wherever more than `gap` passes between two."""
    groups: list[list[ReadKeepsake]] = []
    for keepsake in timed:
        if groups and _pause(groups[-1][-1], keepsake) <= gap:
            groups[-1].append(keepsake)
        else:
            groups.append([keepsake])
    return groups


def _shortened(group: list[ReadKeepsake]) -> list[list[ReadKeepsake]]:
    """Divide a group at its longest gap until no part lasts longer than `MAX_DURATION`."""
    if _pause(group[0], group[-1]) <= MAX_DURATION:
        return [group]
    cut = max(range(1, len(group)), key=lambda i: _pause(group[i - 1], group[i]))
    return [*_shortened(group[:cut]), *_shortened(group[cut:])]


class Fingerprints:
    """The fingerprints of keepsakes, to find those that look or sound like one of them.

    Pictures are compared with pictures, sounds with sounds, and pages with pages.
    """

    def __init__(self, keepsakes: Iterable[ReadKeepsake]) -> None:
        self.pictures: list[tuple[int, ReadKeepsake]] = []
        self.sounds: list[tuple[int, ReadKeepsake]] = []
        self.pages: list[tuple[int, ReadKeepsake]] = []
        for keepsake in keepsakes:
            for others, prints in self._by_medium(keepsake):
                others.extend((print_, keepsake) for print_ in prints)

    def _by_medium(self, keepsake: ReadKeepsake) -> list[tuple[list[tuple[int, ReadKeepsake]], list[int]]]:
        """Return the fingerprints of a keepsake, each kind with those to compare them with."""
        fields = keepsake.fields
        return [
            (self.pictures, _numbers([fields.fingerprint])),
            (self.sounds, _numbers([fields.sound])),
            (self.pages, _numbers(fields.prints)),
        ]

    def like(self, keepsake: ReadKeepsake, max_bits: int = ALIKE) -> list[ReadKeepsake]:
        """Return the other keepsakes that are like `keepsake`, in the order in which they were given.

        max_bits: how many of 64 bits may differ.
        """
        found = {
            other.key: other
            for others, prints in self._by_medium(keepsake)
            for mine in prints
            for theirs, other in others
            if (mine ^ theirs).bit_count() <= max_bits
        }
        found.pop(keepsake.key, None)
        return list(found.values())


def _numbers(prints: Iterable[str]) -> list[int]:
    return [int(one, 16) for one in prints if one]


def like_groups(keepsakes: Sequence[ReadKeepsake]) -> list[list[ReadKeepsake]]:
    """Return groups of at least two that are all like the first of their group."""
    fingerprints = Fingerprints(keepsakes)
    taken: set[str] = set()
    groups = []
    for first in keepsakes:
        if first.key in taken:
            continue
        like = [keepsake for keepsake in fingerprints.like(first) if keepsake.key not in taken]
        taken |= {first.key, *(keepsake.key for keepsake in like)}
        if like:
            groups.append([first, *like])
    return groups
