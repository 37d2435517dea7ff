"""The memories in the order of time, with the gaps between them and the dates that may be wrong.

A gap is pointed out if no memory and no keepsake is from at least `GAP_MONTHS` whole months. A rough date
counts as its whole period, so that "2003" leaves no gap in that year.

A date is doubtful if a keepsake is from more than `TOLERANCE` before or after the time of its memory, or if
two keepsakes look the same (`NEAR`) and their dates are further apart than that. What has no date is pointed
out too.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from urllib.parse import urlencode
from uuid import UUID

from django.urls import reverse
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from patients.imaging.fingerprint import NEAR
from patients.memories.models import Memory, MemoryFields
from patients.memories.when import period_of, shown
from patients.placement.groups import Fingerprints, time_groups
from patients.placement.sheet import Brought, ReadKeepsake
from patients.placement.titles import proposed_title

GAP_MONTHS = 3
# A feast goes on after midnight, and a camera may have the time of another continent.
TOLERANCE = timedelta(days=1)
PICTURES_SHOWN = 4  # of one memory


@dataclass(frozen=True)
class Doubt:
    """A date that is missing or may be wrong, and the page on which it is mended."""

    text: str
    url: str


@dataclass(frozen=True)
class Stop:
    """One place on the timeline: a memory, or keepsakes of one time that are in no memory.

    when: its date in words. first, last: the first and the last day that this may mean; None without a date.
    url: the page on which it is changed.
    """

    title: str
    when: str
    keepsakes: Sequence[ReadKeepsake]
    first: date | None
    last: date | None
    url: str
    memory: Memory | None = None
    doubts: Sequence[Doubt] = field(default_factory=tuple)

    @property
    def pictures(self) -> Sequence[ReadKeepsake]:
        return self.keepsakes[:PICTURES_SHOWN]

    @property
    def more(self) -> int:
        """How many keepsakes are not shown."""
        return max(0, len(self.keepsakes) - PICTURES_SHOWN)


@dataclass(frozen=True)
class Gap:
    """Months from which there is nothing. url: where a memory of that time is written down."""

    text: str
    url: str


@dataclass(frozen=True)
class Timeline:
    """The dated stops in the order of time, each with the gap before it or None; then those without a date.

    undated_keepsakes: how many keepsakes are in no memory and have no date.
    """

    dated: Sequence[tuple[Gap | None, Stop]]
    undated: Sequence[Stop]
    undated_keepsakes: int

    @property
    def doubts(self) -> list[Doubt]:
        return [doubt for _gap, stop in self.dated for doubt in stop.doubts]

    @property
    def gaps(self) -> int:
        return sum(gap is not None for gap, _stop in self.dated)


def timeline_of(brought: Brought) -> Timeline:
    """Return the timeline of a case."""
    copies = _copies_of_other_dates(brought.keepsakes)
    by_memory: dict[UUID, list[ReadKeepsake]] = {}
    for keepsake in brought.keepsakes:
        if keepsake.row.memory_id is not None:
            by_memory.setdefault(keepsake.row.memory_id, []).append(keepsake)
    stops = [
        _memory_stop(row, fields, by_memory.get(key, []), copies)
        for key, (row, fields) in brought.memories.items()
    ]
    loose = [keepsake for keepsake in brought.loose if keepsake.exact_day]
    stops += [_loose_stop(group, copies) for group in time_groups(loose)]
    stops += [_loose_stop([keepsake], copies) for keepsake in brought.loose if keepsake.fields.when]
    dated = sorted((stop for stop in stops if stop.first), key=lambda stop: (stop.first, stop.last))
    return Timeline(
        dated=list(_with_gaps(dated)),
        undated=[stop for stop in stops if not stop.first],
        undated_keepsakes=sum(not keepsake.known_day for keepsake in brought.loose),
    )


def _memory_stop(
    row: Memory, fields: MemoryFields, keepsakes: Sequence[ReadKeepsake], copies: dict[str, ReadKeepsake]
) -> Stop:
    url = reverse("patients:memory", args=[row.pk])
    first, last = period_of(fields.day, fields.when) if fields.day else (None, None)
    doubts = [*_memory_doubts(first, last, keepsakes, url), *_copy_doubts(keepsakes, copies)]
    when = shown(fields.day, fields.when)
    return Stop(fields.title or _("Untitled"), when, keepsakes, first, last, url, row, doubts)


def _loose_stop(keepsakes: Sequence[ReadKeepsake], copies: dict[str, ReadKeepsake]) -> Stop:
    fields = keepsakes[0].fields
    first, last = period_of(fields.known_day, fields.when)
    url = f"{reverse('patients:sheet')}?show=loose"
    doubts = _copy_doubts(keepsakes, copies)
    return Stop(proposed_title(keepsakes), fields.known_date, keepsakes, first, last, url, None, doubts)


def _memory_doubts(
    first: date | None, last: date | None, keepsakes: Sequence[ReadKeepsake], url: str
) -> Iterator[Doubt]:
    """Yield the doubts about a memory's date: it has none, or dated keepsakes are from another time.

    first, last: the days that the date may mean. url: the page of the memory.
    """
    dated = [keepsake for keepsake in keepsakes if keepsake.exact_day]
    if first is None or last is None:
        dates = {keepsake.fields.known_date for keepsake in dated}
        hint = _("Its keepsakes are from %(date)s.") % {"date": dates.pop()} if len(dates) == 1 else ""
        yield Doubt(" ".join(filter(None, [_("It has no date yet."), hint])), url)
        return
    outside = [
        keepsake
        for keepsake in dated
        if not first - TOLERANCE <= date.fromisoformat(keepsake.exact_day) <= last + TOLERANCE
    ]
    if outside and len(outside) == len(dated):
        days = sorted({keepsake.exact_day for keepsake in outside})
        words = {"first": shown(days[0], ""), "last": shown(days[-1], "")}
        if len(days) == 1:
            yield Doubt(_("Its keepsakes are from %(date)s.") % {"date": words["first"]}, url)
        else:
            yield Doubt(_("Its keepsakes are from %(first)s to %(last)s.") % words, url)
        return
    for keepsake in outside:
        words = {"title": keepsake.title, "date": keepsake.fields.known_date}
        yield Doubt(_("“%(title)s” is from %(date)s.") % words, _page_of(keepsake))


def _copies_of_other_dates(keepsakes: Sequence[ReadKeepsake]) -> dict[str, ReadKeepsake]:
    """Return, by its key, for each keepsake another that looks the same and is from another date."""
    dated = [keepsake for keepsake in keepsakes if keepsake.exact_day]
    fingerprints = Fingerprints(dated)
    found = {}
    for keepsake in dated:
        day = date.fromisoformat(keepsake.exact_day)
        for other in fingerprints.like(keepsake, NEAR):
            if abs(date.fromisoformat(other.exact_day) - day) > TOLERANCE:
                found[keepsake.key] = other
                break
    return found


def _copy_doubts(keepsakes: Sequence[ReadKeepsake], copies: dict[str, ReadKeepsake]) -> list[Doubt]:
    """Return a doubt for each of `keepsakes` that has a copy of another date (`_copies_of_other_dates`)."""
    return [
        Doubt(
            _("“%(title)s” is from %(date)s, and one that looks the same is from %(other)s.")
            % {
                "title": keepsake.title,
                "date": keepsake.fields.known_date,
                "other": copies[keepsake.key].fields.known_date,
            },
            _page_of(keepsake),
        )
        for keepsake in keepsakes
        if keepsake.key in copies
    ]


def _page_of(keepsake: ReadKeepsake) -> str:
    return reverse("patients:keepsake", args=[keepsake.row.pk])


def _with_gaps(stops: Sequence[Stop]) -> Iterator[tuple[Gap | None, Stop]]:
    """Yield each dated stop with the gap before it, or None."""
    covered: date | None = None
    for stop in stops:
        if stop.first is None or stop.last is None:
            raise ValueError("only dated stops are in the order of time")
        gap = _gap(covered, stop.first) if covered else None
        covered = max(covered or stop.last, stop.last)
        yield gap, stop


def _gap(last: date, following: date) -> Gap | None:
    """Return the gap between two days; None if too few whole months are between."""
    months = 12 * (following.year - last.year) + following.month - last.month - 1
    if months < GAP_MONTHS:
        return None
    year, month = divmod(12 * last.year + last.month - 1 + (months + 1) // 2, 12)
    middle = date_format(date(year, month + 1, 1), "YEAR_MONTH_FORMAT")
    text = _("Nothing between %(first)s and %(last)s.") % {
        "first": date_format(last, "YEAR_MONTH_FORMAT"),
        "last": date_format(following, "YEAR_MONTH_FORMAT"),
    }
    return Gap(text, f"{reverse('patients:memory-new')}?{urlencode({'when': middle})}")


def summary(timeline: Timeline) -> str:
    """Say in a sentence how many gaps and doubts there are; empty if there are none."""
    doubts = len(timeline.doubts) + len(timeline.undated)
    parts = []
    if timeline.gaps:
        parts.append(ngettext("%(n)d gap", "%(n)d gaps", timeline.gaps) % {"n": timeline.gaps})
    if doubts:
        parts.append(ngettext("%(n)d doubt", "%(n)d doubts", doubts) % {"n": doubts})
    return ", ".join(parts)
