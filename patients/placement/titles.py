"""Titles for memories from what is known of their keepsakes: "a photograph, 14 February 2004, evening"."""

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

from django.utils.formats import date_format
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy, ngettext

from patients.keepsakes.models import Keepsake
from patients.placement.sheet import ReadKeepsake

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

# The parts of a day by the hour in which they begin.
_PARTS: "tuple[tuple[int, StrOrPromise], ...]" = (
    (0, gettext_lazy("night")),
    (5, gettext_lazy("morning")),
    (11, gettext_lazy("midday")),
    (14, gettext_lazy("afternoon")),
    (18, gettext_lazy("evening")),
    (23, gettext_lazy("night")),
)
# A group is said to be of a part of the day if at least this share of its times lies in that part.
_SHARE_IN_PART = 0.75


def _photographs(n: int) -> str:
    return ngettext("%(n)d photograph", "%(n)d photographs", n)


def _letters(n: int) -> str:
    return ngettext("%(n)d letter", "%(n)d letters", n)


def _recordings(n: int) -> str:
    return ngettext("%(n)d recording", "%(n)d recordings", n)


def _videos(n: int) -> str:
    return ngettext("%(n)d video", "%(n)d videos", n)


def _things(n: int) -> str:
    return ngettext("%(n)d thing", "%(n)d things", n)


# Functions that return the words for `n` keepsakes of one kind, in which "%(n)d" is not replaced yet.
_COUNTED: dict[str, Callable[[int], str]] = {
    Keepsake.Kind.PHOTO: _photographs,
    Keepsake.Kind.LETTER: _letters,
    Keepsake.Kind.RECORDING: _recordings,
    Keepsake.Kind.VIDEO: _videos,
}


def counted(keepsakes: Sequence[ReadKeepsake]) -> str:
    """Return how many of what kind: "a photograph", "11 photographs", of several kinds "12 keepsakes"."""
    kinds = {keepsake.row.kind for keepsake in keepsakes}
    if len(keepsakes) == 1:
        return str(keepsakes[0].row.unnamed)
    words = _COUNTED.get(kinds.pop(), _things) if len(kinds) == 1 else _things
    return words(len(keepsakes)) % {"n": len(keepsakes)}


def _part_at(time: datetime) -> int:
    """Return the index in _PARTS of a time: 0 for a night, before midnight and after."""
    place = max(i for i, (hour, _word) in enumerate(_PARTS) if hour <= time.hour)
    return 0 if place == len(_PARTS) - 1 else place


def part_of_day(keepsakes: Sequence[ReadKeepsake]) -> str:
    """Return the part of the day from which most of the keepsakes are; empty if there is no such part."""
    times = [keepsake.taken_at for keepsake in keepsakes if keepsake.taken_at]
    if not times:
        return ""
    place, count = Counter(map(_part_at, times)).most_common(1)[0]
    return str(_PARTS[place][1]) if count >= _SHARE_IN_PART * len(times) else ""


def common_day(keepsakes: Sequence[ReadKeepsake]) -> str:
    """Return the ISO day on which a group was made; empty if no exact day is known, or several are.

    If all times are less than a day apart, they have the day of the first: what goes on after midnight
    belongs to the day before.
    """
    times = sorted(keepsake.taken_at for keepsake in keepsakes if keepsake.taken_at)
    days = {keepsake.exact_day for keepsake in keepsakes if keepsake.exact_day and not keepsake.taken_at}
    if times and times[-1] - times[0] < timedelta(days=1):
        days.add(times[0].date().isoformat())
    else:
        days |= {time.date().isoformat() for time in times}
    return days.pop() if len(days) == 1 else ""


def proposed_title(keepsakes: Sequence[ReadKeepsake]) -> str:
    """Return a title for a memory of these keepsakes, in the active language.

    If they have one caption between them, that is the title. Else it says what they are, the day if they
    share one, and the part of that day.
    """
    captions = {keepsake.fields.caption for keepsake in keepsakes if keepsake.fields.caption}
    if len(captions) == 1:
        return captions.pop()
    day = common_day(keepsakes)
    dates = {keepsake.fields.known_date for keepsake in keepsakes}
    if day:
        words = [date_format(date.fromisoformat(day), "DATE_FORMAT"), part_of_day(keepsakes)]
    else:
        words = [*dates] if len(dates) == 1 else []
    return capfirst(", ".join(filter(None, [counted(keepsakes), *words])))
