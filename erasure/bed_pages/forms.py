"""The form in which a patient chooses their spoken safe word."""

from django import forms
from django.utils.translation import gettext_lazy as _

from clinic.edits.forms import EditForm
from erasure.bedside.words import MAX_WORD_LENGTH


class WordForm(EditForm):
    """A form with the spoken safe word. An empty field removes the word."""

    word = forms.CharField(
        label=_("A word of your own"),
        required=False,
        max_length=MAX_WORD_LENGTH,
        help_text=_(
            "At most 40 letters. Choose nothing that is said in sleep: no name, no “no”, no “stop”."
            " Your technician and your doctor of this night read it, from its beginning to its end."
        ),
        error_messages={"max_length": _("A word has at most 40 letters.")},
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
