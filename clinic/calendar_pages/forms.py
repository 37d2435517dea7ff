"""The forms of the calendar: its filters, and the one that moves a booking."""

from datetime import UTC, timedelta
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from clinic.accounts.models import User
from clinic.availability.forms import DayField
from clinic.availability.timetables import clock_moment
from clinic.calendar.board import Span
from clinic.calendar.models import PLACES, Booking, Resource


class RowField(forms.ModelChoiceField):
    """A choice of one row. Any invalid value in the URL gets the same message."""

    def to_python(self, value: Any) -> Any:
        try:
            return super().to_python(value)
        except ValidationError as error:
            raise ValidationError(_("There is no such choice, so everything is shown.")) from error


class PersonField(RowField):
    """One of the people who have a resource, also one that is out of use."""

    def label_from_instance(self, obj: User) -> str:
        return obj.name


class PlaceField(RowField):
    """A room or a kit."""

    def label_from_instance(self, obj: Resource) -> str:
        return obj.label


class FilterForm(forms.Form):
    """Which bookings the calendar shows. Empty fields filter nothing."""

    person = PersonField(
        label=_("Person"), queryset=User.objects.none(), required=False, empty_label=_("Everybody")
    )
    place = PlaceField(
        label=_("Room or kit"), queryset=Resource.objects.none(), required=False, empty_label=_("All")
    )
    kind = forms.ChoiceField(
        label=_("Kind"),
        required=False,
        choices=lambda: [("", _("All")), *((kind.value, kind.label.capitalize()) for kind in Booking.Kind)],
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        people, places = self.fields["person"], self.fields["place"]
        people.queryset = User.objects.filter(resources__isnull=False).distinct().by_name()  # type: ignore[attr-defined]
        places.queryset = Resource.objects.filter(kind__in=PLACES).order_by("-kind", "label")  # type: ignore[attr-defined]

    def chosen(self) -> dict[str, Any]:
        """Return the values that are chosen and valid, by the names of their fields."""
        self.is_valid()
        return {name: value for name, value in self.cleaned_data.items() if value}


class MoveForm(forms.Form):
    """The new time of a booking, and (expected) the time at which the page showed it."""

    day = DayField(label=_("Day"))
    begins = forms.TimeField(
        label=_("Begins"), widget=forms.TimeInput(attrs={"type": "time", "step": 900}, format="%H:%M")
    )
    ends = forms.TimeField(
        label=_("Ends"),
        widget=forms.TimeInput(attrs={"type": "time", "step": 900}, format="%H:%M"),
        help_text=_("A time before the beginning is on the next morning."),
    )
    # The token of the objections that the user confirmed by a checkbox (`MoveRefused.confirm_token`).
    confirmed = forms.CharField(required=False, max_length=64, widget=forms.HiddenInput)
    expected_start = forms.DateTimeField(widget=forms.HiddenInput)
    expected_end = forms.DateTimeField(widget=forms.HiddenInput)

    # The value of the checkbox on the page, if there are objections that this user may confirm.
    confirm_token = ""

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if not {"day", "begins", "ends"} <= data.keys():
            return data
        end_day = data["day"] if data["ends"] > data["begins"] else data["day"] + timedelta(days=1)
        faults = {}
        for name, day in {"begins": data["day"], "ends": end_day}.items():
            # If the clocks show a time twice, a booking begins at the first moment and ends at the second.
            data[f"{name}_at"] = moment = clock_moment(day, data[name], late=name == "ends")
            if data[name].minute % 15 or data[name].second:
                faults[name] = _("Bookings begin and end on a quarter: :00, :15, :30 or :45.")
            elif timezone.localtime(moment).time() != data[name]:
                faults[name] = _("The clocks go forward and leave this time out.")
        for name, fault in faults.items():
            self.add_error(name, fault)
        return data

    @staticmethod
    def data_for(target: Span, booking: Booking) -> dict[str, Any]:
        """Return the data of a form that moves `booking` from its present time to `target`."""
        start, end = timezone.localtime(target.start), timezone.localtime(target.end)
        return {
            "day": start.date().isoformat(),
            "begins": start.strftime("%H:%M"),
            "ends": end.strftime("%H:%M"),
            "expected_start": booking.starts_at.astimezone(UTC).isoformat(),
            "expected_end": booking.ends_at.astimezone(UTC).isoformat(),
        }
