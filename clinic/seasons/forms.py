"""The forms of the pages on seasons."""

from datetime import date
from typing import Any

from django import forms
from django.utils import dates
from django.utils.translation import gettext_lazy as _

from clinic.calendar.board import FIRST_DAY, LAST_DAY
from clinic.calendar.models import Resource
from clinic.edits.forms import EditForm
from clinic.seasons.changes import LONGEST_COOLING_OFF, VALUE_FIELDS, SeasonValues
from clinic.seasons.models import Season
from clinic.seasons.words import LABELS

WEEKDAYS = [(str(number), dates.WEEKDAYS[number]) for number in range(7)]


class DayField(forms.DateField):
    """A day from FIRST_DAY to LAST_DAY (clinic/calendar/board.py)."""

    def __init__(self, **kwargs: Any) -> None:
        widget = forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")
        super().__init__(widget=widget, input_formats=["%Y-%m-%d"], **kwargs)

    def clean(self, value: Any) -> date | None:
        day: date | None = super().clean(value)
        if day is not None and not FIRST_DAY <= day <= LAST_DAY:
            raise forms.ValidationError(_("The calendar does not have this day."))
        return day


def _clock_field(name: str, help_text: Any = "") -> forms.TimeField:
    widget = forms.TimeInput(attrs={"type": "time", "step": "900"}, format="%H:%M")
    return forms.TimeField(label=LABELS[name], required=False, widget=widget, help_text=help_text)


class SeasonForm(EditForm):
    """The rules of a season, and why they are entered or changed."""

    name = forms.CharField(label=LABELS["name"], max_length=80, help_text=_("Patients read it, too."))
    first = DayField(label=LABELS["first"])
    last = DayField(label=LABELS["last"], help_text=_("The rules hold on this day, too."))
    extra_days = forms.MultipleChoiceField(
        label=LABELS["extra_days"],
        choices=WEEKDAYS,
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=_("Rooms and people can be booked in them if they agreed."),
    )
    extra_starts = _clock_field("extra_starts")
    extra_ends = _clock_field("extra_ends", _("A time before the start is on the next morning."))
    cooling_off_hours = forms.FloatField(
        label=_("Time to think it over, in hours"),
        required=False,
        min_value=0,
        max_value=LONGEST_COOLING_OFF,
        help_text=_(
            "For whoever signs in the season. Never shorter than the clinic's own. Empty: as always."
        ),
    )
    nights_per_patient = forms.IntegerField(
        label=LABELS["nights_per_patient"],
        required=False,
        min_value=1,
        max_value=100,
        help_text=_("At most, in the season. Empty: no limit."),
    )
    appointments_per_patient = forms.IntegerField(
        label=LABELS["appointments_per_patient"],
        required=False,
        min_value=1,
        max_value=1000,
        help_text=_("At most, in the season. Follow-ups do not count. Empty: no limit."),
    )
    waitlist_open = forms.BooleanField(label=_("The waitlist is open"), required=False)
    reason = forms.CharField(label=_("Why?"), max_length=300, help_text=_("It stands in the history."))

    @staticmethod
    def saved_of(season: Season) -> dict[str, Any]:
        """Return the values of a season, by the form's fields."""
        hours = season.cooling_off_hours
        return {
            **{name: getattr(season, name) for name in VALUE_FIELDS},
            "extra_days": list(season.extra_days),
            "cooling_off_hours": int(hours) if hours is not None and hours.is_integer() else hours,
        }

    def values(self) -> SeasonValues:
        """Return what the form decides about the season. Call it on a valid form."""
        data = self.cleaned_data
        return SeasonValues(
            **{name: data[name] for name in VALUE_FIELDS if name != "extra_days"},
            extra_days="".join(sorted(data["extra_days"])),
        )


class EndForm(forms.Form):
    """Why a season is ended, and the last day that the page showed."""

    seen = forms.DateField(input_formats=["%Y-%m-%d"], widget=forms.HiddenInput)
    reason = forms.CharField(label=_("Why?"), max_length=300, help_text=_("It stands in the history."))


class PlacesForm(forms.Form):
    """The rooms and kits that are open in the extra hours. version: the `hours_version` of the page."""

    version = forms.IntegerField(widget=forms.HiddenInput)
    places = forms.ModelMultipleChoiceField(
        label=_("Rooms and kits that are open then"),
        queryset=Resource.objects.none(),
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["places"]
        field.queryset = Resource.objects.filter(user=None, in_use=True).by_name()  # type: ignore[attr-defined]
        field.label_from_instance = lambda one: one.label  # type: ignore[attr-defined]


class AgreeForm(forms.Form):
    """Whether somebody agrees to the extra hours. version: the `hours_version` of the page."""

    version = forms.IntegerField()
    agrees = forms.ChoiceField(choices=[("yes", ""), ("no", "")])
