"""A form for the style page that shows every state of every kind of field."""

from django import forms
from django.http import QueryDict
from django.utils.translation import gettext_lazy as _

from clinic.edits.forms import EditForm


class SpecimenForm(EditForm):
    """One field of each kind.

    The title "-" is invalid, so that a field with a value can show an error too.
    """

    title = forms.CharField(label=_("What is it?"), help_text=_("Leave out what you like."), max_length=40)
    when = forms.CharField(label=_("When, roughly?"), required=False)
    day = forms.DateField(label=_("Night of"), widget=forms.DateInput(attrs={"type": "date"}), required=False)
    story = forms.CharField(label=_("What happened?"), required=False, widget=forms.Textarea({"rows": 3}))
    place = forms.ChoiceField(
        label=_("Where"), choices=[("clinic", _("in the clinic")), ("home", _("at the patient's home"))]
    )
    strength = forms.ChoiceField(
        label=_("How strong is it today?"),
        choices=[(n, n) for n in range(11)],
        widget=forms.RadioSelect(attrs={"class": "scale"}),
    )
    fate = forms.ChoiceField(
        label=_("What becomes of it"),
        choices=[("target", _("to be erased")), ("protected", _("kept on purpose"))],
        widget=forms.RadioSelect,
    )
    kept = forms.BooleanField(
        label=_("I want to keep this one. It stays on the map, protected."), required=False
    )
    scan = forms.FileField(label=_("Choose files"), required=False)

    def clean_title(self) -> str:
        title: str = self.cleaned_data["title"]
        if title == "-":
            raise forms.ValidationError(_("There is nothing here."))
        return title


ANSWERS = {
    "title": "Montauk",
    "when": "2003",
    "day": "2004-02-13",
    "story": "Sand in our shoes.",
    "place": "home",
    "strength": "4",
    "fate": "protected",
    "kept": True,
}


def field_states() -> dict[str, SpecimenForm]:
    """Return the form empty, filled, with errors, changed by somebody else, disabled, and large for patients.

    All element ids differ.
    """
    disabled = SpecimenForm(initial=ANSWERS, auto_id="disabled_%s")
    for field in disabled.fields.values():
        field.disabled = True
    return {
        "empty": SpecimenForm(auto_id="empty_%s"),
        "filled": SpecimenForm(initial=ANSWERS, auto_id="filled_%s"),
        "error": SpecimenForm({"title": "-"}, auto_id="error_%s"),
        "changed": SpecimenForm(
            QueryDict("title=Montauk"),
            auto_id="changed_%s",
            about="specimen:1",
            saved={"title": "Montauk in winter", "when": "2003"},
        ),
        "disabled": disabled,
        "patient": SpecimenForm(auto_id="patient_%s"),
    }
