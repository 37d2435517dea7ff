"""The forms that book and move a procedure."""

from datetime import date, timedelta
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from clinic.calendar.board import FIRST_DAY, LAST_DAY
from clinic.calendar.booking_forms import MoveBookingForm, ResourceField, ResourcesField, add_moments
from clinic.calendar.models import Resource
from erasure.procedures.booking import CancelReason
from erasure.procedures.models import Procedure
from patients.cases.models import Case

MAX_DURATION = timedelta(hours=16)


class HoursForm(forms.Form):
    """Start and end of a procedure, in the clinic's time zone; the end may be on the next morning.

    `ask_to_confirm` adds a box, by which a person who may do so confirms objections to the hours.
    """

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

    # Posted by the ticked box: the token of the objections that were shown beside it.
    confirmed = forms.CharField(required=False, widget=forms.HiddenInput)

    def ask_to_confirm(self, token: str) -> None:
        """Show the box. token: `CannotBook.confirm_token`, which the box posts."""
        self.confirm_token = token

    def clean_day(self) -> date:
        day: date = self.cleaned_data["day"]
        if not FIRST_DAY <= day <= LAST_DAY:
            raise ValidationError(_("No night can be booked that far away."))
        return day

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if not {"day", "begins", "ends"} <= data.keys():
            return data
        end_day = data["day"] if data["ends"] > data["begins"] else data["day"] + timedelta(days=1)
        skipped = _("The clocks go forward that night and leave this time out.")
        if add_moments(self, data, end_day, skipped):
            if data["ends_at"] - data["begins_at"] > MAX_DURATION:
                self.add_error("ends", _("A night has at most 16 hours."))
            if data["ends_at"] <= timezone.now():
                self.add_error("day", _("This night is over already."))
        return data


class BookingForm(HoursForm):
    """Team, place and time of a procedure."""

    place = forms.ChoiceField(label=_("Where"), choices=Procedure.Place.choices, initial=Procedure.Place.HOME)
    doctor = ResourceField(label=_("Doctor"), queryset=Resource.objects.none())
    technicians = ResourcesField(
        label=_("Technicians"), queryset=Resource.objects.none(), widget=forms.CheckboxSelectMultiple
    )
    room = ResourceField(
        label=_("Room or home kit"),
        queryset=Resource.objects.none(),
        help_text=_("A room for the clinic, a kit for the patient's home."),
    )
    pace_seconds = forms.FloatField(
        label=_("Seconds for each memory"), min_value=0, max_value=3600, required=False
    )

    def __init__(self, *args: Any, case: Case, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        usable = Resource.objects.filter(in_use=True).exclude(user__in=case.people_in_conflict()).by_name()
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


class MoveForm(MoveBookingForm, HoursForm):
    """A new time for a booked procedure."""


class CancelForm(forms.Form):
    """Why a night is cancelled. required: whether a reason must be given, as for a missed night."""

    reason = forms.ChoiceField(
        label=_("Why"),
        choices=[("", _("Choose")), *CancelReason.choices],
        required=False,
        error_messages={"required": _("Please choose why the night is canceled.")},
    )

    def __init__(self, *args: Any, required: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["reason"].required = required
