"""What a patient says of one keepsake."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from patients.keepsakes.models import Keepsake, KeepsakePaper
from patients.memories.forms import MemoryForm
from patients.memories.models import Memory
from patients.vault.sealed import read_many

NEW, LATER = "new", ""


class KeepsakeForm(forms.Form):
    """Caption, kind, who else is in it, what should go last, and the memory it belongs to."""

    caption = forms.CharField(label=_("What does it show?"), max_length=300, required=False)
    kind = forms.ChoiceField(
        label=_("It is"),
        choices=[
            (Keepsake.Kind.PHOTO, _("a photograph")),
            (Keepsake.Kind.OBJECT, _("a photograph of a thing")),
        ],
        widget=forms.RadioSelect,
        required=False,
    )
    others = forms.CharField(label=_("Who else is in it?"), max_length=300, required=False)
    # Where the face is, or the hand: 0..100 of width and height. Tapping the picture fills them in.
    focus_x = forms.FloatField(required=False, min_value=0, max_value=100, widget=forms.HiddenInput)
    focus_y = forms.FloatField(required=False, min_value=0, max_value=100, widget=forms.HiddenInput)
    keep_place = forms.BooleanField(label=_("Keep the place the camera noted"), required=False)
    memory = forms.ChoiceField(label=_("Which memory does it belong to?"), required=False)

    def __init__(self, *args: Any, keepsake: Keepsake, **kwargs: Any) -> None:
        self.keepsake = keepsake
        paper: KeepsakePaper = keepsake.read()
        x, y = paper.focus or (None, None)
        kwargs.setdefault(
            "initial",
            {
                "caption": paper.caption,
                "kind": keepsake.kind,
                "others": paper.others,
                "focus_x": x and x * 100,
                "focus_y": y and y * 100,
                "keep_place": bool(paper.place),
                "memory": str(keepsake.memory_id or ""),
            },
        )
        super().__init__(*args, **kwargs)
        memories = list(Memory.objects.filter(case=keepsake.case_id).exclude(fate=Memory.Fate.ERASED))
        papers = read_many(memories)
        named = sorted((papers[row.pk].title, str(row.pk)) for row in memories if row.pk in papers)
        self.fields["memory"].choices = [  # type: ignore[attr-defined]
            (LATER, _("I will place it later")),
            (NEW, _("A new memory, described below")),
            *((key, title) for title, key in named),
        ]
        if keepsake.kind == Keepsake.Kind.LETTER:
            del self.fields["kind"]
        if not paper.gps:
            del self.fields["keep_place"]

    def words(self) -> dict[str, Any]:
        """Fields of KeepsakePaper."""
        data = self.cleaned_data
        said: dict[str, Any] = {"caption": data["caption"], "others": data["others"]}
        if data["focus_x"] is not None and data["focus_y"] is not None:
            said["focus"] = [data["focus_x"] / 100, data["focus_y"] / 100]
        if "keep_place" in data:
            gps = self.keepsake.read().gps
            said["place"] = f"{gps[0]:.4f}, {gps[1]:.4f}" if data["keep_place"] and gps else ""
        return said


def new_memory_form(post: Any, keepsake: Keepsake) -> MemoryForm:
    """The form for a new memory on a keepsake's page; its date is the picture's own where it has one."""
    paper = keepsake.read()
    return MemoryForm(post, prefix="new", initial={"when": paper.taken[:10], "title": paper.caption})
