"""The forms of the waitlist: what suits a patient, and what they wait for."""

from typing import Any

from django import forms
from django.utils.dates import WEEKDAYS
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from clinic.edits.forms import EditForm
from patients.appointments.booking import can_have_appointment
from patients.appointments.models import AppointmentTemplate
from patients.cases.models import Case
from patients.waitlist.entries import MAX_NOTE_CHARACTERS, WISH_FIELDS
from patients.waitlist.models import WaitlistEntry

DATE = {"type": "date"}
CLOCK = {"type": "time", "step": "900"}
# The choices for a night: "night:" and its place, which is a value of Procedure.Place in the app above.
NIGHT_CLINIC, NIGHT_HOME = "night:clinic", "night:home"


class WishesForm(EditForm):
    """The days and hours that suit a patient, and a note."""

    days = forms.MultipleChoiceField(
        label=_("Days that suit"),
        choices=[(str(number), name) for number, name in WEEKDAYS.items()],
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": _("Please choose at least one day.")},
    )
    from_clock = forms.TimeField(
        label=_("Not before"), required=False, widget=forms.TimeInput(attrs=CLOCK, format="%H:%M")
    )
    until_clock = forms.TimeField(
        label=_("Over by"),
        required=False,
        widget=forms.TimeInput(attrs=CLOCK, format="%H:%M"),
        help_text=_("Hours do not count for nights."),
    )
    first_day = forms.DateField(
        label=_("From this day on"), required=False, widget=forms.DateInput(attrs=DATE, format="%Y-%m-%d")
    )
    last_day = forms.DateField(
        label=_("Until this day"), required=False, widget=forms.DateInput(attrs=DATE, format="%Y-%m-%d")
    )
    note = forms.CharField(
        label=_("Note"),
        required=False,
        max_length=MAX_NOTE_CHARACTERS,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=_("The desk reads it. It is destroyed with the file. Do not name whom it is about."),
    )

    @staticmethod
    def saved_of(entry: WaitlistEntry, note: str) -> dict[str, Any]:
        """Return the values of an entry, by the form's fields."""
        values = {name: getattr(entry, name) for name in WISH_FIELDS if name != "weekdays"}
        return values | {"days": [str(number) for number in entry.weekday_numbers], "note": note}

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        start, end = data.get("from_clock"), data.get("until_clock")
        if start and end and end <= start:
            self.add_error("until_clock", _("The end must be after the start."))
        first, last = data.get("first_day"), data.get("last_day")
        if first and last and last < first:
            self.add_error("last_day", _("The last day must not be before the first."))
        return data

    def wishes(self) -> dict[str, Any]:
        """Return the values of WISH_FIELDS. Call it on a valid form."""
        days = sum(1 << int(number) for number in self.cleaned_data["days"])
        values = {name: self.cleaned_data[name] for name in WISH_FIELDS if name != "weekdays"}
        return values | {"weekdays": days}

    @property
    def edited_wishes(self) -> set[str]:
        """Those of WISH_FIELDS and "note" that the user has edited."""
        return {"weekdays" if name == "days" else name for name in self.edited}


class NewEntryForm(WishesForm):
    """What a patient waits for, and which times suit them."""

    what = forms.ChoiceField(label=_("What for"))

    field_order = ["what"]

    def __init__(self, *args: Any, case: Case, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.templates = {
            str(one.pk): one
            for one in AppointmentTemplate.objects.usable()
            if can_have_appointment(case, one.kind)
        }
        choices = [(key, one.name) for key, one in self.templates.items()]
        if can_have_appointment(case, "") and case.stage != Case.Stage.RUNNING:
            if case.stage == Case.Stage.BOOKED:
                choices.append((NIGHT_HOME, gettext("An earlier night")))
            else:
                choices.append((NIGHT_HOME, gettext("A night at the patient's home")))
                choices.append((NIGHT_CLINIC, gettext("A night in the clinic")))
        self.fields["what"].choices = choices  # type: ignore[attr-defined]

    @property
    def template(self) -> AppointmentTemplate | None:
        """The template that is chosen; None for a night."""
        return self.templates.get(self.cleaned_data["what"])

    @property
    def place(self) -> str:
        """Where the night is wanted; "" for an appointment."""
        kind, _colon, place = self.cleaned_data["what"].partition(":")
        return place if kind == "night" else ""
