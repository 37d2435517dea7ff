"""What a patient says of one memory."""

from collections.abc import Collection
from typing import Any
from uuid import UUID

from django import forms
from django.utils.translation import gettext_lazy as _

from patients.cases.models import Case
from patients.memories.models import Memory, MemoryFields
from patients.memories.when import When, read_when, shown
from patients.vault.sealed import read_many


class WhenField(forms.CharField):
    """A date as people say it; cleans to a When."""

    def clean(self, value: Any) -> When:
        said = super().clean(value)
        if not said:
            return When("", "")
        try:
            return read_when(said)
        except ValueError as error:
            raise forms.ValidationError(str(error)) from error


class MemoryForm(forms.Form):
    """One memory, in the patient's words."""

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
        others = named_memories(case, but=memory)
        if others:
            self.fields["links"].choices = [  # type: ignore[attr-defined]
                (str(row.pk), label) for row, label in others
            ]
            self.fields["links"].initial = [str(key) for key in linked]
        else:
            del self.fields["links"]

    @staticmethod
    def initial_of(memory: Memory, paper: MemoryFields) -> dict[str, Any]:
        """What stands in the form of a memory that exists."""
        return {
            "title": paper.title,
            "when": paper.when or paper.day,
            "place": paper.place,
            "people": ", ".join(paper.people),
            "intensity": memory.intensity,
            "story": paper.story,
            "childhood": memory.zone == Memory.Zone.CHILDHOOD,
            "keep": memory.fate == Memory.Fate.PROTECTED,
        }

    def words(self) -> dict[str, Any]:
        """Fields of MemoryFields."""
        data = self.cleaned_data
        people = [" ".join(name.split()) for name in data["people"].split(",")]
        return {
            "title": data["title"],
            "when": data["when"].words,
            "day": data["when"].day,
            "place": data["place"],
            "people": [name for name in people if name],
            "story": data["story"],
        }

    def linked(self) -> set[UUID]:
        """The memories it calls up."""
        return {UUID(key) for key in self.cleaned_data.get("links", [])}

    def numbers(self) -> dict[str, Any]:
        """Fields of Memory."""
        data = self.cleaned_data
        return {
            "intensity": data["intensity"],
            "zone": Memory.Zone.CHILDHOOD if data["childhood"] else Memory.Zone.MAP,
            "fate": Memory.Fate.PROTECTED if data["keep"] else Memory.Fate.TARGET,
        }


def named_memories(case: Case, but: Memory | None = None) -> list[tuple[Memory, str]]:
    """The memories of a case that still have words, oldest first, each with its title and date."""
    rows = list(Memory.objects.filter(case=case).exclude(fate=Memory.Fate.ERASED))
    papers = read_many(rows)
    there = [row for row in rows if row.pk in papers and row != but]
    there.sort(key=lambda row: (papers[row.pk].day or "9999", row.made_at))
    named = []
    for row in there:
        paper = papers[row.pk]
        date = shown(paper.day, paper.when)
        named.append((row, f"{paper.title}, {date}" if date else paper.title))
    return named
