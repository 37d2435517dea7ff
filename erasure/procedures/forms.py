"""The forms that book a night and move it."""

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

LONGEST = timedelta(hours=16)


class OneResource(forms.ModelChoiceField):
    def label_from_instance(self, obj: Resource) -> str:
        return obj.label


class SeveralResources(forms.ModelMultipleChoiceField):
    def label_from_instance(self, obj: Resource) -> str:
        return obj.label


def clinic_moment(day: date, clock: time, *, late: bool = False) -> datetime:
    """The moment (UTC) at which the clinic's clocks show `clock` on `day`.

    `late`: the second one in an hour they show twice. Errors: ValidationError in an hour they leave out.
    """
    zone = timezone.get_default_timezone()
    local = datetime.combine(day, clock, tzinfo=zone).replace(fold=int(late))
    moment = local.astimezone(UTC)
    if moment.astimezone(zone).replace(fold=0, tzinfo=None) != local.replace(fold=0, tzinfo=None):
        raise ValidationError(_("The clocks go forward that night and leave this time out."))
    return moment


class HoursForm(forms.Form):
    """When. Times are the clinic's own; the end may be on the next morning."""

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
        last = data["day"] if data["ends"] > data["begins"] else data["day"] + timedelta(days=1)
        for name, day in {"begins": data["day"], "ends": last}.items():
            try:
                # In an hour that is shown twice a night takes all of it: from the first to the second.
                data[f"{name}_at"] = clinic_moment(day, data[name], late=name == "ends")
            except ValidationError as error:
                self.add_error(name, error)
        if {"begins_at", "ends_at"} <= data.keys():
            if data["ends_at"] - data["begins_at"] > LONGEST:
                self.add_error("ends", _("A night has at most 16 hours."))
            if data["ends_at"] <= timezone.now():
                self.add_error("day", _("This night is over already."))
        return data


class BookingForm(HoursForm):
    """Who, where and when."""

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
        usable = Resource.objects.filter(in_use=True).exclude(user=case.patient).order_by("label")
        for name, kinds in {
            "doctor": [Resource.Kind.DOCTOR],
            "technicians": [Resource.Kind.TECHNICIAN],
            "room": [Resource.Kind.ROOM, Resource.Kind.HOME_KIT],
        }.items():
            self.fields[name].queryset = usable.filter(kind__in=kinds)  # type: ignore[attr-defined]

    def resources(self) -> list[Resource]:
        """Everything that is taken together."""
        data = self.cleaned_data
        return [data["doctor"], *data["technicians"], data["room"]]


class MoveForm(HoursForm):
    """Other hours for a booked night, and the beginning that was seen when the form was made."""

    expected_start = forms.DateTimeField(widget=forms.HiddenInput)

    @staticmethod
    def initial_of(booking: Booking) -> dict[str, Any]:
        """The hours as they are."""
        start, end = timezone.localtime(booking.starts_at), timezone.localtime(booking.ends_at)
        return {
            "day": start.date(),
            "begins": start.time(),
            "ends": end.time(),
            "expected_start": booking.starts_at.astimezone(UTC).isoformat(),
        }
