"""The forms of the page Rooms and kits."""

from django import forms
from django.utils.translation import gettext_lazy as _

from clinic.calendar.models import PLACES, Resource


class PlaceForm(forms.Form):
    """Adds a room or a home kit."""

    kind = forms.ChoiceField(
        label=_("What is it?"),
        choices=[(kind.value, kind.label) for kind in PLACES],
        initial=Resource.Kind.ROOM,
        widget=forms.RadioSelect,
    )
    label = forms.CharField(
        label=_("Name"),
        max_length=80,
        help_text=_("As on its door: “Night room”, “Home kit A”."),
    )

    def clean_label(self) -> str:
        return " ".join(self.cleaned_data["label"].split())


class InUseForm(forms.Form):
    """Takes a place out of use, with a reason, or puts it back."""

    place = forms.UUIDField(widget=forms.HiddenInput)
    reason = forms.CharField(label=_("Why?"), max_length=200, required=False)
