"""The span of days that a report is about: this month, the last one, this year, or two chosen days."""

from calendar import monthrange
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from django import forms
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from clinic.availability.timetables import clock_moment

FIRST_YEAR = 2000  # dates before it are typing errors
LONGEST_SPAN = timedelta(days=3 * 366)


@dataclass(frozen=True)
class Span:
    """Whole days by the clinic's clocks, from `first` to `last`, both included."""

    first: date
    last: date

    @property
    def start(self) -> datetime:
        return clock_moment(self.first, time(0))

    @property
    def end(self) -> datetime:
        """The moment after the last day."""
        return clock_moment(self.last + timedelta(days=1), time(0))

    def contains(self, field: str) -> models.Q:
        """Return the condition that the moment in `field` is in this span. field: a lookup path."""
        return models.Q(**{f"{field}__gte": self.start, f"{field}__lt": self.end})


class Period(models.TextChoices):
    """The spans to choose from. For CHOSEN the days are typed."""

    THIS_MONTH = "this-month", gettext_lazy("this month")
    LAST_MONTH = "last-month", gettext_lazy("last month")
    THIS_YEAR = "this-year", gettext_lazy("this year")
    LAST_YEAR = "last-year", gettext_lazy("last year")
    CHOSEN = "chosen", gettext_lazy("from one day to another")


def month_of(day: date) -> Span:
    """Return the month that `day` is in."""
    return Span(day.replace(day=1), day.replace(day=monthrange(day.year, day.month)[1]))


def year_of(day: date) -> Span:
    """Return the year that `day` is in."""
    return Span(date(day.year, 1, 1), date(day.year, 12, 31))


def span_of(period: str, today: date) -> Span:
    """Return the span of a period other than CHOSEN."""
    if period == Period.LAST_MONTH:
        return month_of(today.replace(day=1) - timedelta(days=1))
    if period == Period.THIS_YEAR:
        return year_of(today)
    if period == Period.LAST_YEAR:
        return year_of(date(today.year - 1, 1, 1))
    return month_of(today)


class SpanForm(forms.Form):
    """Asks for a span. Without an answer it is this month."""

    period = forms.ChoiceField(label=gettext_lazy("Time span"), choices=Period.choices, required=False)
    since = forms.DateField(
        label=gettext_lazy("From"),
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
    )
    until = forms.DateField(
        label=gettext_lazy("To, included"),
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
    )

    def clean(self) -> dict[str, object]:
        if self.cleaned_data.get("period") != Period.CHOSEN or self.errors:
            return self.cleaned_data
        since, until = self.cleaned_data.get("since"), self.cleaned_data.get("until")
        for name, day in (("since", since), ("until", until)):
            if day is None:
                self.add_error(name, _("Choose a day."))
            elif not FIRST_YEAR <= day.year <= timezone.localdate().year + 2:
                self.add_error(name, _("This day is too far away. Check the year."))
        if since and until and not self.errors:
            if until < since:
                self.add_error("until", _("This day is before the first one."))
            elif until - since > LONGEST_SPAN:
                self.add_error("until", _("Three years at once are the most."))
        return self.cleaned_data

    def span(self) -> Span:
        """Return the chosen span. Call it on a valid form."""
        chosen = self.cleaned_data
        if chosen["period"] == Period.CHOSEN:
            return Span(chosen["since"], chosen["until"])
        return span_of(chosen["period"], timezone.localdate())
