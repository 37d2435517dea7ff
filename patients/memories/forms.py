"""What a patient says of one memory."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from patients.memories.models import Memory, MemoryPaper
from patients.memories.when import When, read_when


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
    childhood = forms.BooleanField(
        label=_("This is from before, or of somebody else. It stays off the map."), required=False
    )
    keep = forms.BooleanField(
        label=_("I want to keep this one. It stays on the map, protected."), required=False
    )

    @staticmethod
    def initial_of(memory: Memory, paper: MemoryPaper) -> dict[str, Any]:
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
        """Fields of MemoryPaper."""
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

    def numbers(self) -> dict[str, Any]:
        """Fields of Memory."""
        data = self.cleaned_data
        return {
            "intensity": data["intensity"],
            "zone": Memory.Zone.CHILDHOOD if data["childhood"] else Memory.Zone.MAP,
            "fate": Memory.Fate.PROTECTED if data["keep"] else Memory.Fate.TARGET,
        }
