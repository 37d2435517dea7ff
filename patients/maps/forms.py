"""The forms on the mapping bench."""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from itertools import pairwise
from typing import Any

from django import forms
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.functional import cached_property
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from clinic.edits.basis import FIELD, Basis, Outcome, read_basis
from clinic.edits.forms import Conflict, EditForm
from clinic.people.fields import NameField
from patients.memories.forms import split_names
from patients.memories.models import Memory, MemoryFields

MAX_TEXT = 4000


class MappingMemoryForm(EditForm):
    """One memory on the mapping bench, for staff: with the reaction and the day it is sorted by.

    It may be saved without a date, but then the map cannot be locked. memory, memory_fields: as they are now.
    """

    title = NameField(label=_("Title"), max_length=200)
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

    def __init__(self, *args: Any, memory: Memory, memory_fields: MemoryFields, **kwargs: Any) -> None:
        self.memory, saved = memory, self.initial_of(memory, memory_fields)
        super().__init__(*args, about=f"memory:{memory.pk}", saved=saved, initial=saved, **kwargs)

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
        """Return the values for MemoryFields (the encrypted fields) that were edited."""
        data = {name: value for name, value in self.cleaned_data.items() if name in self.edited}
        values: dict[str, Any] = {name: data[name] for name in ("title", "reaction", "when") if name in data}
        if "day" in data:
            values["day"] = data["day"].isoformat() if data["day"] else ""
        if "people" in data:
            values["people"] = split_names(data["people"])
        return values

    def numbers(self) -> dict[str, Any]:
        """Return the values for the columns of Memory that were edited."""
        names = self.edited & {"intensity", "fate", "zone"}
        return {name: self.cleaned_data[name] for name in names}


COLORS = [
    ("", _("none")),
    ("green", _("green")),
    ("red", _("red")),
    ("orange", _("orange")),
    ("blue", _("blue")),
]


class ChapterForm(forms.Form):
    """A chapter: a period of time that the patient names. Without a name, the form is ignored."""

    name = NameField(label=_("Chapter"), max_length=80, required=False)
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
    """The chapters of a case. They must not overlap, and are changed as a whole.

    about: the case, as "case:<id>". saved: its chapters as they are now, in the format of
    CaseFields.chapters. changed_by: as in EditForm. `outcome` says what becomes of what was posted. If it is
    a conflict, `conflict` says what is there now.
    """

    def __init__(
        self,
        data: Any = None,
        *,
        prefix: str = "",
        about: str = "",
        saved: Sequence[Mapping[str, str]] = (),
        changed_by: Callable[[], str] | None = None,
    ) -> None:
        initial = [
            {"name": one["name"], "color": one["color"], "first": one["from"], "last": one["to"]}
            for one in saved
        ]
        super().__init__(data, prefix=prefix, initial=initial)
        self.saved, self.changed_by = saved, changed_by
        self.basis = Basis(f"chapters:{about}", {"chapters": json.dumps(list(saved), sort_keys=True)})
        self.conflict: Conflict | None = None
        self.draft_basis = ""  # as in EditForm

    @property
    def based_on(self) -> SafeString:
        """The hidden input that carries what the page is based on."""
        value = self.draft_basis or self.basis.serialize({"chapters"} if self.conflict else ())
        return format_html('<input type="hidden" name="{}" value="{}">', self.add_prefix(FIELD), value)

    @cached_property
    def last_change(self) -> str:
        """A sentence on who changed the chapters last; "" if that is not known."""
        return self.changed_by() if self.changed_by else ""

    def outcome(self) -> Outcome:
        """Return what becomes of the posted chapters, valid or not; set `conflict` if somebody has to choose.

        The caller has the case locked since before `saved` was read.
        """
        choice_input = self.add_prefix("choice")
        answer = self.data.get(choice_input, "")
        posted = read_basis(self.data.get(self.add_prefix(FIELD), ""))
        sent = "" if any(self.errors) else json.dumps(self.chapters(), sort_keys=True)
        outcome = self.basis.outcome("chapters", sent, posted, answer)
        disputed = "chapters" in posted and posted["chapters"].disputed
        if outcome is Outcome.CONFLICT or (disputed and outcome is Outcome.WRITE):
            self.conflict = Conflict(choice_input, chapters_in_words(self.saved), answer)
        return outcome

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


def chapters_in_words(chapters: Sequence[Mapping[str, str]]) -> str:
    """Return chapters as text, one on each line: the name, the first and the last day."""

    def day(text: str) -> str:
        return date_format(date.fromisoformat(text), "SHORT_DATE_FORMAT")

    return "\n".join(f"{one['name']}: {day(one['from'])} – {day(one['to'])}" for one in chapters)


ChapterSet = forms.formset_factory(ChapterForm, formset=BaseChapters, extra=2, max_num=12)
