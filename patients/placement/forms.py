"""The form below the sheet: what becomes of the keepsakes that are ticked."""

from typing import Any
from uuid import UUID

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from clinic.names import normalize_text
from patients.keepsakes.models import OTHERS_LENGTH
from patients.memories.forms import WhenField, by_date, memory_label, split_names
from patients.placement.changes import Placing
from patients.placement.sheet import Memories

NEW, UNCHANGED = "new", ""


class PlacementForm(forms.Form):
    """Where the ticked keepsakes go, when they are from, what they show, and who else is in them.

    memories: those they can go into, by id. A field that is left empty changes nothing.
    """

    memory = forms.ChoiceField(label=gettext_lazy("Which memory do they belong to?"), required=False)
    title = forms.CharField(
        label=gettext_lazy("Title of the new memory"),
        max_length=200,
        required=False,
        # The style sheet hides an empty title where no new memory is chosen; it knows by the placeholder.
        widget=forms.TextInput(attrs={"placeholder": " "}),
        help_text=gettext_lazy("If you leave it empty, we write what is known: “A photograph, 14 Feb 2004”."),
    )
    when = WhenField(
        label=gettext_lazy("When are they from?"),
        max_length=100,
        required=False,
        help_text=gettext_lazy("“14 Feb 2003”, “summer 2002”, “about 2003”"),
    )
    caption = forms.CharField(label=gettext_lazy("What do they show?"), max_length=300, required=False)
    others = forms.CharField(
        label=gettext_lazy("Who else is in them?"),
        max_length=OTHERS_LENGTH,
        required=False,
        help_text=gettext_lazy("With commas between. Added to the names that are there."),
    )

    def __init__(self, *args: Any, memories: Memories, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["memory"].choices = [  # type: ignore[attr-defined]
            (UNCHANGED, _("Leave them where they are")),
            (NEW, _("A new memory")),
            *((str(row.pk), memory_label(fields)) for row, fields in by_date(memories.values())),
        ]
        # What was proposed as a title is made again from what is chosen in the end.
        self.proposed = normalize_text(self.data.get("proposed", ""))

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if data.get("title") and data.get("memory", "") != NEW and "memory" not in self.errors:
            self.add_error("memory", _("You wrote a title. Choose “A new memory”, or empty the title."))
        if not self.errors and not self.placing().does_something:
            self.add_error(None, _("Say what becomes of them: choose a memory, or write something."))
        return data

    def placing(self) -> Placing:
        """Return what the action does. Call it on a valid form."""
        data = self.cleaned_data
        title = normalize_text(data["title"])
        return Placing(
            memory=UUID(data["memory"]) if data["memory"] not in {NEW, UNCHANGED} else None,
            new=data["memory"] == NEW,
            title="" if title == self.proposed else title,
            when=data["when"] if data["when"].day else None,
            caption=normalize_text(data["caption"]),
            others=split_names(data["others"]),
        )
