"""The forms of appointments: a template, a time with who and what, a move, a reason."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _

from clinic.calendar.board import FIRST_DAY, LAST_DAY
from clinic.calendar.booking_forms import (
    MoveBookingForm,
    ResourceField,
    ResourcesField,
    add_moments,
    moment_shown,
)
from clinic.calendar.models import Resource
from clinic.edits.forms import EditForm
from patients.appointments.booking import MAX_NOTE_CHARACTERS, REASONS
from patients.appointments.models import (
    LONGEST_APPOINTMENT,
    LONGEST_BUFFER,
    LONGEST_PREPARATION,
    MOST_PEOPLE,
    SHORTEST_APPOINTMENT,
    AppointmentTemplate,
    Kind,
    Place,
    TemplateValues,
)
from patients.appointments.offers import needed

MOST_DAYS = 730  # until a follow-up
# HTML attributes of the inputs. step: seconds.
DATE_INPUT = {"type": "date"}
TIME_INPUT = {"type": "time", "step": "900"}


SKIPPED_TIME = _("The clocks go forward that day and leave this time out.")


class ConfirmedForm(forms.Form):
    """A form that can be shown with two boxes, to confirm objections to the hours and a move above the limit.

    confirmed, confirmed_limit: the tokens that the ticked boxes posted. confirm_token, confirm_limit_token:
    the tokens of `CannotBook`, which the boxes of the next page will post; "" shows no box.
    """

    confirmed = forms.CharField(required=False, widget=forms.HiddenInput)
    confirmed_limit = forms.CharField(required=False, widget=forms.HiddenInput)
    confirm_token = ""
    confirm_limit_token = ""

    def clean_day(self) -> date:
        day: date = self.cleaned_data["day"]
        if not FIRST_DAY <= day <= LAST_DAY:
            raise ValidationError(_("Nothing can be booked that far away."))
        return day


class TimeForm(ConfirmedForm):
    """A time and its resources: one field for each role that the template needs."""

    day = forms.DateField(label=_("Day"), widget=forms.DateInput(attrs=DATE_INPUT, format="%Y-%m-%d"))
    begins = forms.TimeField(label=_("Begins"), widget=forms.TimeInput(attrs=TIME_INPUT, format="%H:%M"))

    labels = {"doctors": _("Doctor"), "technicians": _("Technician"), "room": _("Room")}

    def __init__(self, *args: Any, values: TemplateValues, usable: Sequence[Resource], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.roles = needed(values)
        for name, (kind, count) in self.roles.items():
            ids = [one.pk for one in usable if one.kind == kind]
            rows = Resource.objects.filter(pk__in=ids).select_related("user").by_name()
            label = self.labels[name]
            self.fields[name] = (
                ResourceField(label=label, queryset=rows)
                if count == 1
                else ResourcesField(label=label, queryset=rows, widget=forms.CheckboxSelectMultiple)
            )

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if {"day", "begins"} <= data.keys():
            starts_at = moment_shown(data["day"], data["begins"])
            if starts_at is None:
                self.add_error("begins", SKIPPED_TIME)
            else:
                data["starts_at"] = starts_at
                if starts_at <= timezone.now():
                    self.add_error("day", _("This time is over already."))
        return data

    def resources(self) -> list[Resource]:
        """Return all chosen people and rooms."""
        chosen: list[Resource] = []
        for name, (_kind, count) in self.roles.items():
            value = self.cleaned_data[name]
            chosen += [value] if count == 1 else list(value)
        return chosen


class ReasonForm(forms.Form):
    """Why an appointment is moved or cancelled."""

    reason = forms.ChoiceField(label=_("Why?"), choices=[("", "---------"), *REASONS])
    words = forms.CharField(
        label=_("In a sentence"),
        required=False,
        max_length=MAX_NOTE_CHARACTERS,
        help_text=_("Only the patient's team reads it. It is destroyed with the file."),
    )


class MoveForm(MoveBookingForm, ReasonForm, ConfirmedForm):
    """A new time for an appointment, and why it is moved."""

    day = forms.DateField(label=_("Day"), widget=forms.DateInput(attrs=DATE_INPUT, format="%Y-%m-%d"))
    begins = forms.TimeField(label=_("Begins"), widget=forms.TimeInput(attrs=TIME_INPUT, format="%H:%M"))
    ends = forms.TimeField(label=_("Ends"), widget=forms.TimeInput(attrs=TIME_INPUT, format="%H:%M"))

    field_order = ["day", "begins", "ends", "reason", "words"]

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if not {"day", "begins", "ends"} <= data.keys():
            return data
        if add_moments(self, data, data["day"], SKIPPED_TIME):
            if data["ends_at"] <= data["begins_at"]:
                self.add_error("ends", _("The end must be after the start."))
            elif data["ends_at"] - data["begins_at"] > timedelta(minutes=LONGEST_APPOINTMENT):
                self.add_error("ends", _("An appointment has at most 8 hours."))
            if data["begins_at"] <= timezone.now():
                self.add_error("day", _("This time is over already."))
        return data


def _number(label: Any, lowest: int, highest: int, *, required: bool = True, help_text: Any = "") -> Any:
    return forms.IntegerField(
        label=label, min_value=lowest, max_value=highest, required=required, help_text=help_text
    )


class FollowUpTemplate(forms.ModelChoiceField):
    def label_from_instance(self, obj: AppointmentTemplate) -> str:
        return obj.name


class TemplateForm(EditForm):
    """Edits all fields of a template. template: the one that is edited; None for a new one."""

    name = forms.CharField(label=_("Name"), max_length=80)
    kind = forms.ChoiceField(
        label=_("Kind"), choices=[(value, capfirst(label)) for value, label in Kind.choices]
    )
    minutes = _number(
        _("Minutes"),
        SHORTEST_APPOINTMENT,
        LONGEST_APPOINTMENT,
        help_text=_("In quarters of an hour: 15, 30, 45."),
    )
    doctors = _number(_("Doctors"), 0, MOST_PEOPLE)
    technicians = _number(_("Technicians"), 0, MOST_PEOPLE)
    place = forms.ChoiceField(
        label=_("Place"), choices=[(value, capfirst(label)) for value, label in Place.choices]
    )
    buffer_before = _number(_("Minutes before, to prepare the room"), 0, LONGEST_BUFFER)
    buffer_after = _number(_("Minutes after, to tidy the room"), 0, LONGEST_BUFFER)
    preparation_en = forms.CharField(
        label=_("What the patient should know, in English"),
        required=False,
        max_length=LONGEST_PREPARATION,
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text=_("On their page and in their mail. It names nobody."),
    )
    preparation_vi = forms.CharField(
        label=_("What the patient should know, in Vietnamese"),
        required=False,
        max_length=LONGEST_PREPARATION,
        widget=forms.Textarea(attrs={"rows": 4}),
    )
    follow_up = FollowUpTemplate(
        label=_("What follows"), queryset=AppointmentTemplate.objects.none(), required=False
    )
    follow_up_days = _number(_("After how many days"), 1, MOST_DAYS, required=False)
    days_after_night = _number(
        _("Also due after a night, in days"),
        1,
        MOST_DAYS,
        required=False,
        help_text=_("When a night ends a file, the desk is asked to book this. Empty: not."),
    )
    patients_may_book = forms.BooleanField(
        label=_("Patients book it themselves, on their page, at a time that is free"), required=False
    )

    def __init__(self, *args: Any, template: AppointmentTemplate | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = AppointmentTemplate.objects.usable()
        if template:  # its present follow-up stays a choice, also when that one is retired
            choices = choices | AppointmentTemplate.objects.filter(pk__in=[template.follow_up_id])
            choices = choices.exclude(pk=template.pk)
        self.fields["follow_up"].queryset = choices  # type: ignore[attr-defined]

    @staticmethod
    def saved_of(row: AppointmentTemplate) -> dict[str, Any]:
        """Return the values of a template, as the form takes them."""
        names = [name for name in TemplateForm.base_fields if name != "follow_up"]
        return {name: getattr(row, name) for name in names} | {"follow_up": row.follow_up_id}

    def clean_minutes(self) -> int:
        minutes: int = self.cleaned_data["minutes"]
        if minutes % 15:
            raise ValidationError(_("Please give quarters of an hour: 15, 30, 45 or 60 minutes, and so on."))
        return minutes

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        names = ("doctors", "technicians", "place")
        if data.keys() >= set(names) and not needed(
            AppointmentTemplate(**{name: data[name] for name in names})
        ):
            self.add_error("doctors", _("An appointment needs somebody, or a room."))
        if "follow_up_days" in data and "follow_up" in data:
            if data["follow_up"] and data["follow_up_days"] is None:
                self.add_error("follow_up_days", _("Please say after how many days."))
            elif data["follow_up_days"] is not None and not data["follow_up"]:
                self.add_error("follow_up", _("Please choose what follows, or leave the days empty."))
        return data
