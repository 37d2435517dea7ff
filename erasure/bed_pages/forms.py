"""The form in which a patient chooses the word to say aloud."""

from django import forms
from django.utils.translation import gettext_lazy as _

from clinic.edits.forms import EditForm
from erasure.bedside.words import LENGTH


class WordForm(EditForm):
    """The word; empty to have none."""

    word = forms.CharField(
        label=_("A word of your own"),
        required=False,
        max_length=LENGTH,
        help_text=_(
            "At most 40 letters. Choose nothing that is said in sleep: no name, no “no”, no “stop”."
            " Your technician and your doctor of this night read it, from its beginning to its end."
        ),
        error_messages={"max_length": _("A word has at most 40 letters.")},
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
