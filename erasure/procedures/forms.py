"""The form that books a night."""

from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from clinic.calendar.models import Resource
from erasure.procedures.models import Procedure
from patients.cases.models import Case

LONGEST = timedelta(hours=16)


class OneResource(forms.ModelChoiceField):
    def label_from_instance(self, obj: Resource) -> str:
        return obj.label


class SeveralResources(forms.ModelMultipleChoiceField):
    def label_from_instance(self, obj: Resource) -> str:
        return obj.label


class BookingForm(forms.Form):
    """Who, where and when. Times are the clinic's own; the end may be on the next morning."""

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
    day = forms.DateField(label=_("Night of"), widget=forms.DateInput(attrs={"type": "date"}))
    begins = forms.TimeField(label=_("Begins"), widget=forms.TimeInput(attrs={"type": "time"}))
    ends = forms.TimeField(
        label=_("Ends"),
        widget=forms.TimeInput(attrs={"type": "time"}),
        help_text=_("A time before the beginning is on the next morning."),
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

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if {"day", "begins", "ends"} <= data.keys():
            starts_at = timezone.make_aware(datetime.combine(data["day"], data["begins"]))
            last = data["day"] if data["ends"] > data["begins"] else data["day"] + timedelta(days=1)
            ends_at = timezone.make_aware(datetime.combine(last, data["ends"]))
            if ends_at - starts_at > LONGEST:
                self.add_error("ends", _("A night has at most 16 hours."))
            if ends_at <= timezone.now():
                self.add_error("day", _("This night is over already."))
            data["starts_at"], data["ends_at"] = starts_at, ends_at
        return data

    def resources(self) -> list[Resource]:
        """Everything that is taken together."""
        data = self.cleaned_data
        return [data["doctor"], *data["technicians"], data["room"]]
