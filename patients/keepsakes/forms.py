"""What a patient says of one keepsake."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from patients.keepsakes.models import Keepsake, KeepsakeFields
from patients.memories.forms import MemoryForm, named_memories

NEW, LATER = "new", ""
KEEP, DROP = "keep", "drop"
NOWHERE = ""
# Nine places of a picture, row by row; which of them is enough for those who cannot point.
SPOTS = (
    ("0", _("top left")),
    ("1", _("top")),
    ("2", _("top right")),
    ("3", _("left")),
    ("4", _("middle")),
    ("5", _("right")),
    ("6", _("bottom left")),
    ("7", _("bottom")),
    ("8", _("bottom right")),
)


def spot_of(focus: list[float]) -> str:
    """The one of SPOTS in which a focus (x, y in 0..1) lies; NOWHERE for none."""
    if not focus:
        return NOWHERE
    column, row = (min(2, int(part * 3)) for part in focus)
    return str(row * 3 + column)


def middle_of(spot: str) -> list[float]:
    """The middle of one of SPOTS, as x and y in 0..1; empty for NOWHERE."""
    if spot == NOWHERE:
        return []
    row, column = divmod(int(spot), 3)
    return [(column + 0.5) / 3, (row + 0.5) / 3]


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
    spot = forms.ChoiceField(
        label=_("What should go last?"),
        choices=[*SPOTS, (NOWHERE, _("nothing in particular"))],
        widget=forms.RadioSelect,
        required=False,
    )
    # Where exactly, 0..100 of width and height; sent by the script that lets one tap the picture.
    focus_x = forms.FloatField(required=False, min_value=0, max_value=100, widget=forms.HiddenInput)
    focus_y = forms.FloatField(required=False, min_value=0, max_value=100, widget=forms.HiddenInput)
    place = forms.ChoiceField(
        label=_("The camera noted where this was taken"),
        choices=[
            (KEEP, _("Keep the place with this keepsake")),
            (DROP, _("Drop it: we forget the place now")),
        ],
        widget=forms.RadioSelect,
        required=False,
    )
    memory = forms.ChoiceField(label=_("Which memory does it belong to?"), required=False)

    def __init__(self, *args: Any, keepsake: Keepsake, paper: KeepsakeFields, **kwargs: Any) -> None:
        self.paper = paper
        kwargs["initial"] = {
            "caption": paper.caption,
            "kind": keepsake.kind,
            "others": paper.others,
            "spot": spot_of(paper.focus),
            "place": KEEP if paper.place else "",
            "memory": str(keepsake.memory_id or LATER),
        }
        super().__init__(*args, **kwargs)
        self.fields["memory"].choices = [  # type: ignore[attr-defined]
            (LATER, _("I will place it later")),
            (NEW, _("A new memory, described below")),
            *((str(row.pk), label) for row, label in named_memories(keepsake.case)),
        ]
        if keepsake.kind not in {Keepsake.Kind.PHOTO, Keepsake.Kind.OBJECT}:
            del self.fields["kind"]
        still = keepsake.case.takes_keepsakes
        if not still or keepsake.kind in {Keepsake.Kind.LETTER, Keepsake.Kind.RECORDING}:
            for name in ("spot", "focus_x", "focus_y"):
                del self.fields[name]
        if keepsake.kind == Keepsake.Kind.RECORDING:
            self.fields["caption"].label = _("What is to be heard?")
        if not paper.gps:
            del self.fields["place"]
        else:
            latitude, longitude = paper.gps
            self.fields["place"].help_text = f"{latitude:.4f}, {longitude:.4f}"

    def words(self) -> dict[str, Any]:
        """Fields of KeepsakeFields."""
        data = self.cleaned_data
        said: dict[str, Any] = {"caption": data["caption"], "others": data["others"]}
        if "spot" in data:
            said["focus"] = self._focus()
        if data.get("place") == KEEP:
            said["place"] = self.fields["place"].help_text
        elif data.get("place") == DROP:
            said |= {"place": "", "gps": []}
        return said

    def _focus(self) -> list[float]:
        data = self.cleaned_data
        x, y, spot = data.get("focus_x"), data.get("focus_y"), data["spot"]
        if x is not None and y is not None:
            return [x / 100, y / 100]
        # Without the script only the ninth is known: do not move a finer point within it.
        return self.paper.focus if spot == spot_of(self.paper.focus) else middle_of(spot)


def new_memory_form(post: Any, keepsake: Keepsake, paper: KeepsakeFields) -> MemoryForm:
    """The form for a new memory on a keepsake's page; its date is the picture's own where it has one."""
    initial = {"when": paper.taken[:10], "title": paper.caption}
    # Its fields stand in a closed part of the page: a browser that insists on one of them says nothing.
    return MemoryForm(post, prefix="new", case=keepsake.case, initial=initial, use_required_attribute=False)
