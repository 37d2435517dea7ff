"""The form in which a patient describes one keepsake."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from patients.keepsakes.models import Keepsake, KeepsakeFields
from patients.memories.forms import PatientMemoryForm, named_memories

NEW, LATER = "new", ""
KEEP, DROP = "keep", "drop"
NO_SPOT = ""
# Nine areas of a picture, row by row, for users who cannot point at a spot.
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
    """Return the area of SPOTS that contains a focus (x, y in 0..1); NO_SPOT for an empty focus."""
    if not focus:
        return NO_SPOT
    column, row = (min(2, int(part * 3)) for part in focus)
    return str(row * 3 + column)


def middle_of(spot: str) -> list[float]:
    """Return the middle of an area of SPOTS as x and y in 0..1; an empty list for NO_SPOT."""
    if spot == NO_SPOT:
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
        choices=[*SPOTS, (NO_SPOT, _("nothing in particular"))],
        widget=forms.RadioSelect,
        required=False,
    )
    # The exact spot in percent of width and height. The script fills these in when the user taps the picture.
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

    def __init__(
        self, *args: Any, keepsake: Keepsake, keepsake_fields: KeepsakeFields, **kwargs: Any
    ) -> None:
        self.keepsake_fields = keepsake_fields
        kwargs["initial"] = {
            "caption": keepsake_fields.caption,
            "kind": keepsake.kind,
            "others": keepsake_fields.others,
            "spot": spot_of(keepsake_fields.focus),
            "place": KEEP if keepsake_fields.place else "",
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
        accepts_changes = keepsake.case.map_is_open
        if not accepts_changes or keepsake.kind in {Keepsake.Kind.LETTER, Keepsake.Kind.RECORDING}:
            for name in ("spot", "focus_x", "focus_y"):
                del self.fields[name]
        if keepsake.kind == Keepsake.Kind.RECORDING:
            self.fields["caption"].label = _("What is to be heard?")
        if not keepsake_fields.gps:
            del self.fields["place"]
        else:
            latitude, longitude = keepsake_fields.gps
            self.fields["place"].help_text = f"{latitude:.4f}, {longitude:.4f}"

    def field_values(self) -> dict[str, Any]:
        """Return the cleaned values, keyed by the fields of KeepsakeFields that they change."""
        data = self.cleaned_data
        values: dict[str, Any] = {"caption": data["caption"], "others": data["others"]}
        if "spot" in data:
            values["focus"] = self._focus()
        if data.get("place") == KEEP:
            values["place"] = self.fields["place"].help_text
        elif data.get("place") == DROP:
            values |= {"place": "", "gps": []}
        return values

    def _focus(self) -> list[float]:
        data = self.cleaned_data
        x, y, spot = data.get("focus_x"), data.get("focus_y"), data["spot"]
        if x is not None and y is not None:
            return [x / 100, y / 100]
        # Without the script only the area is known: keep the exact spot if it lies in that area.
        return self.keepsake_fields.focus if spot == spot_of(self.keepsake_fields.focus) else middle_of(spot)


def new_memory_form(post: Any, keepsake: Keepsake, keepsake_fields: KeepsakeFields) -> PatientMemoryForm:
    """Return the form for a new memory on a keepsake's page, with the picture's own date if it has one."""
    initial = {"when": keepsake_fields.taken_day, "title": keepsake_fields.caption}
    # The fields are in a closed <details>: there a browser refuses to submit without showing why.
    return PatientMemoryForm(
        post, prefix="new", case=keepsake.case, initial=initial, use_required_attribute=False
    )
