"""The forms on the mapping bench."""

from datetime import date
from itertools import pairwise
from typing import Any

from django import forms
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from patients.memories.forms import split_names
from patients.memories.models import Memory, MemoryFields

MAX_TEXT = 4000


class MappingMemoryForm(forms.Form):
    """One memory on the mapping bench, for staff: with the reaction and the day it is sorted by.

    It may be saved without a date, but then the map cannot be locked.
    """

    title = forms.CharField(label=_("Title"), max_length=200)
    intensity = forms.TypedChoiceField(
        label=_("Intensity"),
        choices=[(str(n), str(n)) for n in range(11)],
        coerce=int,
        empty_value=None,
        required=False,
        widget=forms.RadioSelect(attrs={"class": "scale"}),
    )
    reaction = forms.CharField(
        label=_("Reaction"), max_length=MAX_TEXT, required=False, widget=forms.Textarea(attrs={"rows": 2})
    )
    when = forms.CharField(
        label=_("When, as the patient says it"),
        max_length=100,
        required=False,
        help_text=_("“about 2003”, “the last winter”"),
    )
    day = forms.DateField(
        label=_("Day it is sorted by"),
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        # What browsers send. Where one has no calendar, 05/06/2003 would be read in one of two ways.
        input_formats=["%Y-%m-%d"],
        help_text=_("The middle of a rough span."),
    )
    people = forms.CharField(
        label=_("Who else is in it"), max_length=500, required=False, help_text=_("With commas between.")
    )
    fate = forms.ChoiceField(
        label=_("What becomes of it"),
        choices=[
            (Memory.Fate.TARGET, Memory.Fate.TARGET.label),
            (Memory.Fate.PROTECTED, Memory.Fate.PROTECTED.label),
        ],
        widget=forms.RadioSelect,
    )
    zone = forms.ChoiceField(label=_("Where"), choices=Memory.Zone.choices, widget=forms.RadioSelect)

    def clean_day(self) -> date | None:
        """Return the day. Errors: ValidationError if it has not come."""
        day: date | None = self.cleaned_data["day"]
        if day and day > timezone.localdate():
            raise forms.ValidationError(_("That day has not come yet."))
        return day

    @staticmethod
    def initial_of(memory: Memory, fields: MemoryFields) -> dict[str, Any]:
        """Return the form's initial values for a memory."""
        return {
            "title": fields.title,
            "intensity": memory.intensity,
            "reaction": fields.reaction,
            "when": fields.when,
            "day": fields.day,
            "people": ", ".join(fields.people),
            "fate": memory.fate,
            "zone": memory.zone,
        }

    def words(self) -> dict[str, Any]:
        """Return the values for MemoryFields (the encrypted fields)."""
        data = self.cleaned_data
        return {
            "title": data["title"],
            "reaction": data["reaction"],
            "when": data["when"],
            "day": data["day"].isoformat() if data["day"] else "",
            "people": split_names(data["people"]),
        }

    def numbers(self) -> dict[str, Any]:
        """Return the values for the columns of Memory."""
        return {name: self.cleaned_data[name] for name in ("intensity", "fate", "zone")}


COLORS = [
    ("", _("none")),
    ("green", _("green")),
    ("red", _("red")),
    ("orange", _("orange")),
    ("blue", _("blue")),
]


class ChapterForm(forms.Form):
    """A chapter: a period of time that the patient names. Without a name, the form is ignored."""

    name = forms.CharField(label=_("Chapter"), max_length=80, required=False)
    color = forms.ChoiceField(label=_("Color"), choices=COLORS, required=False)
    first = forms.DateField(
        label=_("From"), required=False, widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")
    )
    last = forms.DateField(
        label=_("To"), required=False, widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")
    )

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if data.get("name"):
            first, last = data.get("first"), data.get("last")
            if not first or not last:
                if not self.errors:
                    self.add_error("first", _("A chapter has a first and a last day."))
            elif last < first:
                self.add_error("last", _("The last day is before the first."))
        return data


class BaseChapters(forms.BaseFormSet):
    """The chapters of a case. They must not overlap."""

    def clean(self) -> None:
        if any(self.errors):
            return
        spans = sorted(
            (form.cleaned_data["first"], form.cleaned_data["last"])
            for form in self.forms
            if form.cleaned_data.get("name")
        )
        if any(after[0] <= before[1] for before, after in pairwise(spans)):
            raise forms.ValidationError(_("Two chapters share days."))

    def chapters(self) -> list[dict[str, str]]:
        """Return the named chapters in the format of CaseFields.chapters, sorted by their first day."""
        named = [form.cleaned_data for form in self.forms if form.cleaned_data.get("name")]
        return [
            {
                "name": data["name"],
                "color": data["color"] or "none",
                "from": data["first"].isoformat(),
                "to": data["last"].isoformat(),
            }
            for data in sorted(named, key=lambda data: data["first"])
        ]


ChapterSet = forms.formset_factory(ChapterForm, formset=BaseChapters, extra=2, max_num=12)
