"""The forms that book and move a procedure."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from clinic.calendar.board import FIRST, LAST
from clinic.calendar.models import Booking, Resource
from erasure.procedures.models import Procedure
from patients.cases.models import Case

MAX_DURATION = timedelta(hours=16)


class OneResource(forms.ModelChoiceField):
    def label_from_instance(self, obj: Resource) -> str:
        return obj.label


class SeveralResources(forms.ModelMultipleChoiceField):
    def label_from_instance(self, obj: Resource) -> str:
        return obj.label


def clinic_moment(day: date, clock: time, *, late: bool = False) -> datetime:
    """Return the moment (UTC) at which the clinic's clocks show `clock` on `day`.

    late: if the clocks show that time twice, return the second moment. Errors: ValidationError if they never
    show it, because they go forward.
    """
    zone = timezone.get_default_timezone()
    local = datetime.combine(day, clock, tzinfo=zone).replace(fold=int(late))
    moment = local.astimezone(UTC)
    if moment.astimezone(zone).replace(fold=0, tzinfo=None) != local.replace(fold=0, tzinfo=None):
        raise ValidationError(_("The clocks go forward that night and leave this time out."))
    return moment


class HoursForm(forms.Form):
    """Start and end of a procedure, in the clinic's time zone; the end may be on the next morning."""

    day = forms.DateField(
        label=_("Night of"), widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")
    )
    begins = forms.TimeField(
        label=_("Begins"), widget=forms.TimeInput(attrs={"type": "time"}, format="%H:%M")
    )
    ends = forms.TimeField(
        label=_("Ends"),
        widget=forms.TimeInput(attrs={"type": "time"}, format="%H:%M"),
        help_text=_("A time before the beginning is on the next morning."),
    )

    def clean_day(self) -> date:
        day: date = self.cleaned_data["day"]
        if not FIRST <= day <= LAST:
            raise ValidationError(_("No night can be booked that far away."))
        return day

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if not {"day", "begins", "ends"} <= data.keys():
            return data
        end_day = data["day"] if data["ends"] > data["begins"] else data["day"] + timedelta(days=1)
        for name, day in {"begins": data["day"], "ends": end_day}.items():
            try:
                # If the clocks show a time twice, start at the first moment and end at the second.
                data[f"{name}_at"] = clinic_moment(day, data[name], late=name == "ends")
            except ValidationError as error:
                self.add_error(name, error)
        if {"begins_at", "ends_at"} <= data.keys():
            if data["ends_at"] - data["begins_at"] > MAX_DURATION:
                self.add_error("ends", _("A night has at most 16 hours."))
            if data["ends_at"] <= timezone.now():
                self.add_error("day", _("This night is over already."))
        return data


class BookingForm(HoursForm):
    """Team, place and time of a procedure."""

    place = forms.ChoiceField(label=_("Where"), choices=Procedure.Place.choices, initial=Procedure.Place.HOME)
    doctor = OneResource(label=_("Doctor"), queryset=Resource.objects.none())
    technicians = SeveralResources(
        label=_("Technicians"), queryset=Resource.objects.none(), widget=forms.CheckboxSelectMultiple
    )
    room = OneResource(
        label=_("Room or home kit"),
        queryset=Resource.objects.none(),
        help_text=_("A room for the clinic, a kit for the patient's home."),
    )
    pace_seconds = forms.FloatField(
        label=_("Seconds for each memory"), min_value=0, max_value=3600, required=False
    )

    def __init__(self, *args: Any, case: Case, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        usable = (
            Resource.objects.filter(in_use=True).exclude(user__in=case.people_in_conflict()).order_by("label")
        )
        for name, kinds in {
            "doctor": [Resource.Kind.DOCTOR],
            "technicians": [Resource.Kind.TECHNICIAN],
            "room": [Resource.Kind.ROOM, Resource.Kind.HOME_KIT],
        }.items():
            self.fields[name].queryset = usable.filter(kind__in=kinds)  # type: ignore[attr-defined]

    def resources(self) -> list[Resource]:
        """Return all chosen resources: doctor, technicians, room or home kit."""
        data = self.cleaned_data
        return [data["doctor"], *data["technicians"], data["room"]]


class MoveForm(HoursForm):
    """A new time for a booked procedure, and the start that was shown when the form was made."""

    expected_start = forms.DateTimeField(widget=forms.HiddenInput)

    @staticmethod
    def initial_of(booking: Booking) -> dict[str, Any]:
        """Return the initial values of the form: the booking as it is now."""
        start, end = timezone.localtime(booking.starts_at), timezone.localtime(booking.ends_at)
        return {
            "day": start.date(),
            "begins": start.time(),
            "ends": end.time(),
            "expected_start": booking.starts_at.astimezone(UTC).isoformat(),
        }
