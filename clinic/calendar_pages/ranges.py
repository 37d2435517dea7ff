"""The ways to show the calendar (views), and which days each of them shows."""

from dataclasses import dataclass
from datetime import date, time, timedelta
from enum import StrEnum

from django.utils.formats import date_format, get_format
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from clinic.calendar.board import FIRST_DAY, LAST_DAY, MORNING, Span, at_clock

DAY = timedelta(days=1)


class CalendarView(StrEnum):
    """A way to show the calendar, by its name in the URL."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    RESOURCES = "resources"
    LIST = "list"


LABELS: dict[CalendarView, Promise] = {
    CalendarView.DAY: gettext_lazy("Day"),
    CalendarView.WEEK: gettext_lazy("Week"),
    CalendarView.MONTH: gettext_lazy("Month"),
    CalendarView.RESOURCES: gettext_lazy("By person and room"),
    CalendarView.LIST: gettext_lazy("List"),
}


def first_weekday() -> int:
    """Return the first day of the week for readers of the active language: 0 is Sunday, 1 is Monday."""
    return int(get_format("FIRST_DAY_OF_WEEK"))


def week_start(day: date) -> date:
    """Return the first day of the week of `day`."""
    return day - timedelta(days=(day.isoweekday() - first_weekday()) % 7)


def _next_month(day: date) -> date:
    """Return the first day of the month after that of `day`."""
    return (day.replace(day=1) + 32 * DAY).replace(day=1)


@dataclass(frozen=True)
class Range:
    """The days that a page of the calendar shows: from `first`, without `end`. day: the day asked for."""

    view: CalendarView
    day: date
    first: date
    end: date

    @property
    def span(self) -> Span:
        """The time shown. As on the day board, the last day includes its night, until the next morning."""
        return Span(at_clock(self.first, time(0)), at_clock(self.end, MORNING))

    @property
    def title(self) -> str:
        """The days in words."""
        if self.view in {CalendarView.DAY, CalendarView.RESOURCES}:
            return date_format(self.day, "WEEKDAY_DATE_FORMAT")
        if self.view == CalendarView.MONTH:
            return date_format(self.day, "YEAR_MONTH_FORMAT")
        last = self.end - DAY
        start = "MONTH_DAY_FORMAT" if self.first.year == last.year else "DATE_FORMAT"
        return _("%(first)s to %(last)s") % {
            "first": date_format(self.first, start),
            "last": date_format(last, "DATE_FORMAT"),
        }

    @property
    def days(self) -> list[date]:
        return [self.first + number * DAY for number in range((self.end - self.first).days)]

    @property
    def before(self) -> date | None:
        """A day in the range before this one; None if that is before FIRST_DAY."""
        day = self.first - DAY if self.view != CalendarView.MONTH else self.day.replace(day=1) - DAY
        return day if day >= FIRST_DAY else None

    @property
    def after(self) -> date | None:
        """A day in the range after this one; None if that is after LAST_DAY."""
        day = self.end if self.view != CalendarView.MONTH else _next_month(self.day)
        return day if day <= LAST_DAY else None


def range_of(view: CalendarView, day: date) -> Range:
    """Return the days that `view` shows around `day`: one, its week, or the weeks of its month."""
    if view in {CalendarView.DAY, CalendarView.RESOURCES}:
        return Range(view, day, day, day + DAY)
    if view == CalendarView.MONTH:
        last = _next_month(day) - DAY
        return Range(view, day, week_start(day.replace(day=1)), week_start(last) + 7 * DAY)
    return Range(view, day, week_start(day), week_start(day) + 7 * DAY)
