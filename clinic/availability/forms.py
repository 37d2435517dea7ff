"""The forms of the pages on hours, absences and limits."""

import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta
from itertools import pairwise
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from clinic.availability.changes import LONGEST_EXCEPTION
from clinic.availability.models import WEEKDAYS, NightLimits, WorkingHours
from clinic.availability.timetables import clock_moment
from clinic.calendar.board import FIRST_DAY, LAST_DAY
from clinic.edits.forms import EditForm

# Matches "9-17", "9:00-12:30" and "20.00 to 6.00". Pages show 09:00 and 17:00 with an en dash between.
SPAN = re.compile(r"(\d{1,2})(?:[:.h](\d{2}))?\s*(?:-|–|—|to|đến)\s*(\d{1,2})(?:[:.h](\d{2}))?", re.ASCII)
MAX_SPANS = 4  # in a day; the audit log has no room for more
DAY_FIELDS = tuple(f"day{weekday}" for weekday in range(7))


def _clock(hour: str, minute: str | None) -> time:
    """Return a time of the clock; 24:00 is midnight. Raises ValidationError if it is not on a quarter."""
    hours, minutes = int(hour), int(minute or 0)
    if (hours, minutes) == (24, 0):
        hours = 0
    if hours > 23 or minutes > 59:
        raise ValidationError(
            _("There is no time %(hour)s:%(minute)02d.") % {"hour": hour, "minute": minutes}
        )
    if minutes % 15:
        raise ValidationError(_("Hours begin and end on a quarter: :00, :15, :30 or :45."))
    return time(hours, minutes)


def read_spans(text: str) -> list[tuple[time, time]]:
    """Return the spans in a text such as "09:00-12:30, 13:00-17:00", in order.

    An end before the start is on the next morning. Raises ValidationError if it cannot be read, or if two
    spans overlap.
    """
    spans = []
    for part in filter(None, (part.strip() for part in re.split(r"[,;]", text))):
        match = SPAN.fullmatch(part)
        if match is None:
            raise ValidationError(_("“%(part)s” is no span such as 09:00–17:00.") % {"part": part[:40]})
        spans.append((_clock(match[1], match[2]), _clock(match[3], match[4])))
    spans.sort()
    if len(spans) > MAX_SPANS:
        raise ValidationError(_("A day has at most %(number)d spans.") % {"number": MAX_SPANS})
    for (starts, ends), (next_starts, _next_ends) in pairwise(spans):
        # Only the last span may end on the next morning.
        if ends <= starts or ends > next_starts:
            raise ValidationError(_("Two spans of this day overlap."))
    return spans


def spans_text(rows: Sequence[WorkingHours]) -> str:
    """Return the hours of a day as text, with a comma between two spans."""
    return ", ".join(str(row) for row in sorted(rows, key=lambda row: row.starts))


class SpansField(forms.CharField):
    """The hours of one day. The cleaned value is text too, written as pages show hours."""

    def clean(self, value: Any) -> str:
        spans = read_spans(super().clean(value))
        return ", ".join(f"{starts:%H:%M}–{ends:%H:%M}" for starts, ends in spans)


class WeekForm(EditForm):
    """The weekly hours of a person, room or kit, from a day on."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, label in zip(DAY_FIELDS, WEEKDAYS, strict=True):
            self.fields[name] = SpansField(label=label, max_length=100, required=False)
            self.fields[name].widget.attrs["placeholder"] = "–"
        self.fields["valid_from"] = DayField(label=_("From"))
        self.fields["reason"] = forms.CharField(label=_("Why?"), max_length=200)

    def week(self) -> Mapping[int, list[tuple[time, time]]]:
        """Return the hours in the form, by weekday. Call it on a valid form."""
        return {weekday: read_spans(self.cleaned_data[name]) for weekday, name in enumerate(DAY_FIELDS)}

    def clean_valid_from(self) -> date:
        day: date = self.cleaned_data["valid_from"]
        if day < timezone.localdate():
            raise ValidationError(_("Hours can be changed from today on. The past stays as it was."))
        return day

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if not self.errors and not any(data[name] for name in DAY_FIELDS):
            raise ValidationError(_("A week needs hours on at least one day. Enter an absence instead."))
        return data


class DayField(forms.DateField):
    """A day from FIRST_DAY to LAST_DAY (clinic/calendar/board.py)."""

    def __init__(self, **kwargs: Any) -> None:
        widget = forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")
        super().__init__(widget=widget, input_formats=["%Y-%m-%d"], **kwargs)

    def clean(self, value: Any) -> date | None:
        day: date | None = super().clean(value)
        if day is not None and not FIRST_DAY <= day <= LAST_DAY:
            raise ValidationError(_("The calendar does not have this day."))
        return day


class LimitsForm(EditForm):
    """How many nights a week a person may have, and how long they rest after one."""

    nights_a_week = forms.IntegerField(
        label=_("Nights a week"), min_value=1, max_value=7, required=False, help_text=_("Empty: no limit.")
    )
    rest_hours = forms.IntegerField(
        label=_("Hours of rest after a night"), min_value=0, max_value=72, required=False
    )

    @staticmethod
    def saved_of(limits: NightLimits | None) -> dict[str, Any]:
        """Return the values of these limits, by the form's fields."""
        return {
            "nights_a_week": limits.nights_a_week if limits else None,
            "rest_hours": limits.rest_hours if limits else None,
        }


class ClosureForm(forms.Form):
    """Days, or a span of hours, in which the clinic is closed."""

    first = DayField(label=_("First day"))
    last = DayField(label=_("Last day"), required=False, help_text=_("Empty: the same day."))
    begins = forms.TimeField(
        label=_("From"),
        required=False,
        widget=forms.TimeInput(attrs={"type": "time"}, format="%H:%M"),
        help_text=_("Empty: the whole first day."),
    )
    ends = forms.TimeField(
        label=_("Until"),
        required=False,
        widget=forms.TimeInput(attrs={"type": "time"}, format="%H:%M"),
        help_text=_("Empty: the whole last day."),
    )
    reason = forms.CharField(label=_("Why?"), max_length=200)

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if self.errors:
            return data
        last = data["last"] or data["first"]
        starts_at = clock_moment(data["first"], data["begins"] or time(0))
        ends_at = (
            clock_moment(last, data["ends"], late=True)
            if data["ends"]
            else clock_moment(last + timedelta(days=1), time(0))
        )
        if ends_at <= starts_at:
            self.add_error("ends" if data["ends"] else "last", _("The end must be after the start."))
        elif ends_at <= timezone.now():
            self.add_error("first", _("This time is over already."))
        elif ends_at - starts_at > LONGEST_EXCEPTION:
            self.add_error("last", _("That is more than two years. Please look at the dates again."))
        return {**data, "starts_at": starts_at, "ends_at": ends_at}


class ExceptionForm(ClosureForm):
    """A span in which a person is away or a place is out of service, or in which it can be booked as well."""

    AWAY, ADDED = "away", "extra"

    kind = forms.ChoiceField(label=_("What?"), widget=forms.RadioSelect, initial=AWAY)
    field_order = ("kind", "first", "last", "begins", "ends", "reason")

    def __init__(self, *args: Any, is_place: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        away = _("out of service") if is_place else _("away: holiday, illness, training")
        self.fields["kind"].choices = [  # type: ignore[attr-defined]
            (self.AWAY, away),
            (self.ADDED, _("can be booked as well, outside the weekly hours")),
        ]


class EndExceptionForm(forms.Form):
    """Which absence, closing or added span is taken back."""

    exception = forms.UUIDField()


def whole_days_of(starts_at: datetime, ends_at: datetime) -> tuple[date, date] | None:
    """Return the first and the last day of a span of whole days; None if it begins or ends within a day."""
    start, end = timezone.localtime(starts_at), timezone.localtime(ends_at)
    first, day_after = start.date(), end.date()
    if (clock_moment(first, time(0)), clock_moment(day_after, time(0))) != (starts_at, ends_at):
        return None
    return first, day_after - timedelta(days=1)
