"""The form for one memory on the patient's pages."""

from collections.abc import Collection, Iterable
from typing import Any
from uuid import UUID

from django import forms
from django.utils.translation import gettext_lazy as _

from clinic.edits.forms import EditForm
from clinic.names import normalize_text, text_key
from clinic.people.fields import NameField
from patients.cases.models import Case
from patients.memories.models import Memory, MemoryFields
from patients.memories.when import When, read_when, shown
from patients.vault.sealed import read_many


def split_names(text: str) -> list[str]:
    """Return the names in a text with commas between, each with single spaces; empty ones are left out."""
    return [name for name in map(normalize_text, text.split(",")) if name]


def each_name_once(names: Iterable[str]) -> list[str]:
    """Return names in their order, each once, as it was written first."""
    once: dict[str, str] = {}
    for name in names:
        once.setdefault(text_key(name), name)
    return list(once.values())


def memory_label(fields: MemoryFields) -> str:
    """Return how a list of memories names one: its title and date."""
    date = shown(fields.day, fields.when)
    return f"{fields.title}, {date}" if date else fields.title


def by_date(memories: Iterable[tuple[Memory, MemoryFields]]) -> list[tuple[Memory, MemoryFields]]:
    """Return memories with their fields, oldest first, those without a date last."""
    return sorted(memories, key=lambda pair: (pair[1].day or "9999", pair[0].made_at))


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


class PatientMemoryForm(EditForm):
    """One memory in the patient's words, and the memories it is linked to. For staff: `MappingMemoryForm`.

    memory, memory_fields: an existing memory, as it is now, if the form changes one. linked: the ids of all
    memories that it is linked to.
    """

    title = NameField(label=_("What is it?"), max_length=200)
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
    # Optional: not everything is felt. The mapping visit asks again.
    intensity = forms.TypedChoiceField(
        label=_("How strong is it today?"),
        choices=[*((n, str(n)) for n in range(11)), ("", _("not felt"))],
        coerce=int,
        empty_value=None,
        required=False,
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
        memory_fields: MemoryFields | None = None,
        linked: Collection[UUID] = (),
        **kwargs: Any,
    ) -> None:
        others = named_memories(case, exclude=memory)
        choices = [(str(row.pk), label) for row, label in others]
        # A link to what cannot be chosen here, such as an erased memory, stays as it is.
        self.hidden_links = {key for key in linked if key not in {row.pk for row, _label in others}}
        self.memory_fields = memory_fields
        if memory and memory_fields:
            saved = self.initial_of(memory, memory_fields)
            saved["links"] = [key for key, _label in choices if UUID(key) in linked]
            # The day, the zone and the fate say more than the inputs that would change them.
            states = {
                "when": f"{memory_fields.when}\n{memory_fields.day}",
                "childhood": memory.zone,
                "keep": memory.fate,
            }
            kwargs |= {"about": f"memory:{memory.pk}", "saved": saved, "states": states, "initial": saved}
        super().__init__(*args, **kwargs)
        if choices:
            self.fields["links"].choices = choices  # type: ignore[attr-defined]
        else:
            del self.fields["links"]

    def now_words(self, name: str) -> str:
        """Return the stored value in words. A date has the day that its words were read as, in brackets."""
        if name == "when" and self.memory_fields:
            words, day = self.memory_fields.when, shown(self.memory_fields.day, "")
            return f"{words} ({day})" if words and day else words or day
        return super().now_words(name)

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
        """Return the values for MemoryFields (the encrypted fields) that were edited."""
        data = {name: value for name, value in self.cleaned_data.items() if name in self.edited}
        values: dict[str, Any] = {name: data[name] for name in ("title", "place", "story") if name in data}
        if "when" in data:
            values |= {"when": data["when"].words, "day": data["when"].day}
        if "people" in data:
            values["people"] = split_names(data["people"])
        return values

    def linked(self) -> set[UUID] | None:
        """Return the ids of the memories to be linked; None if the links were not edited."""
        if "links" not in self.edited:
            return None
        return {UUID(key) for key in self.cleaned_data["links"]} | self.hidden_links

    def numbers(self) -> dict[str, Any]:
        """Return the values for the columns of Memory that were edited."""
        data = {name: value for name, value in self.cleaned_data.items() if name in self.edited}
        values: dict[str, Any] = {}
        if "intensity" in data:
            values["intensity"] = data["intensity"]
        if "childhood" in data:
            values["zone"] = Memory.Zone.CHILDHOOD if data["childhood"] else Memory.Zone.MAP
        if "keep" in data:
            values["fate"] = Memory.Fate.PROTECTED if data["keep"] else Memory.Fate.TARGET
        return values


def named_memories(case: Case, exclude: Memory | None = None) -> list[tuple[Memory, str]]:
    """Return the memories of a case that are not erased, oldest first, each with a label (title and date)."""
    rows = list(Memory.objects.filter(case=case).exclude(fate=Memory.Fate.ERASED))
    fields = read_many(rows)
    remaining = [(row, fields[row.pk]) for row in rows if row.pk in fields and row != exclude]
    return [(row, memory_label(memory_fields)) for row, memory_fields in by_date(remaining)]
