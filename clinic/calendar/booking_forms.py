"""Parts of forms with which higher packages book and move: resources, times, the span that a page showed."""

from datetime import UTC, date, datetime, time
from typing import TYPE_CHECKING, Any, Self

from django import forms
from django.http import QueryDict
from django.utils import timezone

from clinic.calendar.models import Booking, Resource

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise


class ResourceField(forms.ModelChoiceField):
    """A choice of one resource, by its label."""

    def label_from_instance(self, obj: Resource) -> str:
        return obj.label


class ResourcesField(forms.ModelMultipleChoiceField):
    """A choice of several resources, by their labels."""

    def label_from_instance(self, obj: Resource) -> str:
        return obj.label


def moment_shown(day: date, clock: time, *, late: bool = False) -> datetime | None:
    """Return the moment (UTC) at which the clinic's clocks show `clock` on `day`; None if they skip this
    time.

    late: if they show it twice, return the second moment instead of the first.
    """
    zone = timezone.get_default_timezone()
    moment = datetime.combine(day, clock, tzinfo=zone).replace(fold=int(late)).astimezone(UTC)
    return moment if moment.astimezone(zone).time() == clock else None


def add_moments(form: forms.Form, data: dict[str, Any], end_day: date, skipped: "StrOrPromise") -> bool:
    """Add `begins_at` and `ends_at` (UTC), from day, begins and ends. Return whether both moments exist.

    data: the cleaned data of `form`. end_day: the day of the end. skipped: the error for a time that the
    clocks leave out.
    """
    for name, day in {"begins": data["day"], "ends": end_day}.items():
        # If the clocks show a time twice, start at the first moment and end at the second.
        moment = moment_shown(day, data[name], late=name == "ends")
        if moment is None:
            form.add_error(name, skipped)
        else:
            data[f"{name}_at"] = moment
    return {"begins_at", "ends_at"} <= data.keys()


class MoveBookingForm(forms.Form):
    """The base of forms that move a booking. It carries the span that the page showed of the booking.

    A subclass has the fields day, begins and ends.
    """

    expected_start = forms.DateTimeField(widget=forms.HiddenInput)
    expected_end = forms.DateTimeField(widget=forms.HiddenInput)

    @staticmethod
    def initial_of(booking: Booking) -> dict[str, Any]:
        """Return the initial values of the form: the booking as it is now."""
        start, end = timezone.localtime(booking.starts_at), timezone.localtime(booking.ends_at)
        return {
            "day": start.date(),
            "begins": start.time(),
            "ends": end.time(),
            "expected_start": booking.starts_at.astimezone(UTC).isoformat(),
            "expected_end": booking.ends_at.astimezone(UTC).isoformat(),
        }

    @classmethod
    def with_present_span(cls, posted: QueryDict, booking: Booking) -> Self:
        """Return the posted form for a page that shows the booking as it is now. `posted` is valid."""
        data, present = posted.copy(), cls.initial_of(booking)
        for name in ("expected_start", "expected_end"):
            data[name] = present[name]
        form = cls(data)
        form.full_clean()
        return form
