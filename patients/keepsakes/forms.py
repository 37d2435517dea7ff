"""The form in which a patient describes one keepsake."""

from typing import Any

from django import forms
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _

from clinic.edits.basis import Basis
from clinic.edits.forms import EditForm
from patients.keepsakes.models import OTHERS_LENGTH, Keepsake, KeepsakeFields
from patients.memories.forms import PatientMemoryForm, WhenField, named_memories
from patients.memories.when import shown

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


class KeepsakeForm(EditForm):
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
    when = WhenField(
        label=_("When is it from?"),
        max_length=100,
        required=False,
        help_text=_("If you know it better than the camera: “14 Feb 2003”, “summer 2002”, “about 2003”"),
    )
    others = forms.CharField(label=_("Who else is in it?"), max_length=OTHERS_LENGTH, required=False)
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
        saved = {
            "caption": keepsake_fields.caption,
            "kind": keepsake.kind,
            "when": keepsake_fields.when or keepsake_fields.day,
            "others": keepsake_fields.others,
            "spot": spot_of(keepsake_fields.focus),
            "place": KEEP if keepsake_fields.place else "",
            "memory": str(keepsake.memory_id or LATER),
        }
        # Choosing an area replaces the exact spot, which may have moved inside of the area.
        states = {
            "spot": _percent(keepsake_fields.focus),
            "when": f"{keepsake_fields.when}\n{keepsake_fields.day}",
            "place": f"{keepsake_fields.place} {keepsake_fields.gps}",
        }
        about = f"keepsake:{keepsake.pk}"
        super().__init__(*args, about=about, saved=saved, states=states, initial=saved, **kwargs)
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

    @cached_property
    def basis(self) -> Basis:
        """The values as they are now, with the exact spot, which the script sends back with its area."""
        plain = super().basis
        shown = plain.shown | {"focus": _percent(self.keepsake_fields.focus)}
        return Basis(plain.about, shown, plain.states)

    def posted_texts(self, name: str) -> list[str]:
        """Return the texts posted for a field. Those of a new exact spot have it after their area."""
        texts = super().posted_texts(name)
        if name == "spot" and (focus := self.posted_focus()):
            exact = _percent(focus)
            if not self.basis.was_shown("focus", exact, self.posted_basis):
                return [f"{texts[0]} {exact}"]
        return texts

    def now_words(self, name: str) -> str:
        """Return the stored value in words. A date has the day that its words were read as, in brackets."""
        if name == "when" and self.keepsake_fields.when:
            return f"{self.keepsake_fields.when} ({shown(self.keepsake_fields.day, '')})"
        return super().now_words(name)

    def posted_focus(self) -> list[float]:
        """Return the exact spot that was posted, x and y in 0..1; an empty list if there is none."""
        try:
            found = [float(self.data.get(name, "")) / 100 for name in ("focus_x", "focus_y")]
        except ValueError:
            return []
        return found if all(0 <= part <= 1 for part in found) else []

    def shown_focus(self) -> list[str]:
        """Return the exact spot that the page shows, in percent of width and height; empty for none."""
        show_posted = self.is_bound and ("spot" in self.edited or "spot" in self.conflicts)
        return _percent(self.posted_focus() if show_posted else self.keepsake_fields.focus).split()

    def field_values(self) -> dict[str, Any]:
        """Return the values that were edited, keyed by the fields of KeepsakeFields that they change."""
        data = {name: value for name, value in self.cleaned_data.items() if name in self.edited}
        values: dict[str, Any] = {name: data[name] for name in ("caption", "others") if name in data}
        if "when" in data:
            values |= {"when": data["when"].words, "day": data["when"].day}
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


def _percent(focus: list[float]) -> str:
    """Return an exact spot as text: "33.33 50.00", in percent of width and height; "" for none."""
    return " ".join(f"{part * 100:.2f}" for part in focus)


def new_memory_form(post: Any, keepsake: Keepsake, keepsake_fields: KeepsakeFields) -> PatientMemoryForm:
    """Return the form for a new memory on a keepsake's page, with the picture's own date if it has one."""
    initial = {"when": keepsake_fields.when or keepsake_fields.known_day, "title": keepsake_fields.caption}
    # The fields are in a closed <details>: there a browser refuses to submit without showing why.
    return PatientMemoryForm(
        post, prefix="new", case=keepsake.case, initial=initial, use_required_attribute=False
    )
