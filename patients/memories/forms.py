"""The form for one memory on the patient's pages."""

from collections.abc import Collection
from typing import Any
from uuid import UUID

from django import forms
from django.utils.translation import gettext_lazy as _

from patients.cases.models import Case
from patients.memories.models import Memory, MemoryFields
from patients.memories.when import When, read_when, shown
from patients.vault.sealed import read_many


def split_names(text: str) -> list[str]:
    """Return the names in a text with commas between, each with single spaces; empty ones are left out."""
    return [name for name in (" ".join(part.split()) for part in text.split(",")) if name]


class WhenField(forms.CharField):
    """A date, exact or rough, in people's own words; cleans to a When."""

    def clean(self, value: Any) -> When:
        text = super().clean(value)
        if not text:
            return When("", "")
        try:
            return read_when(text)
        except ValueError as error:
            raise forms.ValidationError(str(error)) from error


class PatientMemoryForm(forms.Form):
    """One memory in the patient's words, with what it is linked to. For staff: `MappingMemoryForm`."""

    title = forms.CharField(label=_("What is it?"), max_length=200)
    when = WhenField(
        label=_("When, roughly?"),
        max_length=100,
        required=False,
        help_text=_("“14 Feb 2003”, “summer 2002”, “about 2003”"),
    )
    place = forms.CharField(label=_("Where?"), max_length=200, required=False)
    people = forms.CharField(
        label=_("Who was there?"), max_length=500, required=False, help_text=_("With commas between.")
    )
    intensity = forms.TypedChoiceField(
        label=_("How strong is it today?"),
        choices=[(n, str(n)) for n in range(11)],
        coerce=int,
        widget=forms.RadioSelect(attrs={"class": "scale"}),
    )
    story = forms.CharField(
        label=_("What happened?"),
        max_length=4000,
        required=False,
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text=_("Leave out what you like."),
    )
    links = forms.MultipleChoiceField(
        label=_("Which other memories does it call up?"),
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )
    keep = forms.BooleanField(
        label=_("I want to keep this one. It stays on the map, protected."), required=False
    )
    childhood = forms.BooleanField(
        label=_("It is from before, or about somebody else. It stays off the map."), required=False
    )

    def __init__(
        self,
        *args: Any,
        case: Case,
        memory: Memory | None = None,
        linked: Collection[UUID] = (),
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        others = named_memories(case, exclude=memory)
        if others:
            self.fields["links"].choices = [  # type: ignore[attr-defined]
                (str(row.pk), label) for row, label in others
            ]
            self.fields["links"].initial = [str(key) for key in linked]
        else:
            del self.fields["links"]

    @staticmethod
    def initial_of(memory: Memory, fields: MemoryFields) -> dict[str, Any]:
        """Return the form's initial values for an existing memory."""
        return {
            "title": fields.title,
            "when": fields.when or fields.day,
            "place": fields.place,
            "people": ", ".join(fields.people),
            "intensity": memory.intensity,
            "story": fields.story,
            "childhood": memory.zone == Memory.Zone.CHILDHOOD,
            "keep": memory.fate == Memory.Fate.PROTECTED,
        }

    def words(self) -> dict[str, Any]:
        """Return the values for MemoryFields (the encrypted fields)."""
        data = self.cleaned_data
        return {
            "title": data["title"],
            "when": data["when"].words,
            "day": data["when"].day,
            "place": data["place"],
            "people": split_names(data["people"]),
            "story": data["story"],
        }

    def linked(self) -> set[UUID]:
        """Return the ids of the memories chosen as linked."""
        return {UUID(key) for key in self.cleaned_data.get("links", [])}

    def numbers(self) -> dict[str, Any]:
        """Return the values for the columns of Memory."""
        data = self.cleaned_data
        return {
            "intensity": data["intensity"],
            "zone": Memory.Zone.CHILDHOOD if data["childhood"] else Memory.Zone.MAP,
            "fate": Memory.Fate.PROTECTED if data["keep"] else Memory.Fate.TARGET,
        }


def named_memories(case: Case, exclude: Memory | None = None) -> list[tuple[Memory, str]]:
    """Return the memories of a case that are not erased, oldest first, each with a label (title and date)."""
    rows = list(Memory.objects.filter(case=case).exclude(fate=Memory.Fate.ERASED))
    fields = read_many(rows)
    remaining = [row for row in rows if row.pk in fields and row != exclude]
    remaining.sort(key=lambda row: (fields[row.pk].day or "9999", row.made_at))
    labelled = []
    for row in remaining:
        memory_fields = fields[row.pk]
        date = shown(memory_fields.day, memory_fields.when)
        labelled.append((row, f"{memory_fields.title}, {date}" if date else memory_fields.title))
    return labelled
