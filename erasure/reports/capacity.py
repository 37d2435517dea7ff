"""Counts how many nights could still be booked in the coming weeks, with the people and rooms there are."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.utils import timezone

from clinic.availability.offers import allowed_starts, quarters_of
from clinic.availability.search import Candidate, Need, next_times, set_bits
from clinic.availability.timetables import Grid, ReservedSpan, Timetable, holder_of, load_timetables
from clinic.calendar.models import PLACES, Resource
from erasure.procedures.offers import DEFAULT_BEGIN, DEFAULT_DURATION
from erasure.reports.spans import Span


def free_nights(weeks: Sequence[Span], now: datetime) -> list[int]:
    """Return for each week how many more nights can be booked in it.

    A night needs one doctor, one technician and one place. It begins and lasts as the booking page suggests.
    The function fills a copy of the timetables with one night after another, earliest first, and takes those
    who have the fewest nights. So it respects rest after a night, limits a week, absences, and the extra
    hours of seasons. The result is a lower bound: another order might allow a night more.

    weeks: consecutive spans, earliest first.
    """
    start, end = max(now, weeks[0].start), weeks[-1].end
    grid = Grid.around(start, end)
    tables = load_timetables(list(Resource.objects.filter(in_use=True).select_related("user")), grid)
    trial = _TrialBookings(tables)
    counts = [0] * len(weeks)
    for quarter in set_bits(allowed_starts(grid, start, end, [DEFAULT_BEGIN])):
        moment = grid.moment(quarter)
        week = next(number for number, span in enumerate(weeks) if span.start <= moment < span.end)
        while trial.book_night(quarter, moment):
            counts[week] += 1
    return counts


class _TrialBookings:
    """Books nights in loaded timetables, to see how many fit. It writes nothing to the database."""

    def __init__(self, tables: dict[UUID, Timetable]) -> None:
        self.tables = tables
        self.candidates = {pk: self._candidate(pk) for pk in tables}
        # A person who is a doctor and a technician has two resources. A night occupies both.
        self.resources_of_holder: dict[UUID, list[UUID]] = {}
        for pk, table in tables.items():
            self.resources_of_holder.setdefault(holder_of(table.resource), []).append(pk)

    def _candidate(self, pk: UUID) -> Candidate:
        table = self.tables[pk]
        return Candidate(pk, holder_of(table.resource), table.bookable_quarters(night=True))

    def _candidates_of(self, *kinds: str) -> list[Candidate]:
        return [one for pk, one in self.candidates.items() if self.tables[pk].resource.kind in kinds]

    def _fewest_nights_first(self, quarter: int, candidate: Candidate) -> Any:
        table = self.tables[candidate.key]  # type: ignore[index]  # a key is any hashable; here it is an id
        return len(table.reserved), table.resource.label

    def book_night(self, quarter: int, moment: datetime) -> bool:
        """Book one more night, if there is one doctor, technician and place for it. Return whether it fits.

        quarter: the quarter of the grid at which it begins. moment: the same as a time.
        """
        needs = [
            Need(1, self._candidates_of(Resource.Kind.DOCTOR)),
            Need(1, self._candidates_of(Resource.Kind.TECHNICIAN)),
            Need(1, self._candidates_of(*PLACES)),
        ]
        length = quarters_of(DEFAULT_DURATION / timedelta(minutes=1))
        found = next_times(needs, length, allowed=1 << quarter, limit=1, order=self._fewest_nights_first)
        if not found:
            return False
        night = ReservedSpan(moment, moment + DEFAULT_DURATION, timezone.localdate(moment))
        for team in found[0].teams:
            for chosen in team:
                for pk in self.resources_of_holder[chosen.holder]:  # type: ignore[index]
                    self.tables[pk].reserved.append(night)
                    self.candidates[pk] = self._candidate(pk)
        return True
