"""The form by which an administrator destroys the keys that are held after a restore."""

from django import forms
from django.utils.translation import gettext_lazy as _


class EndHeld(forms.Form):
    """seen: how many held keys the page showed. sure: the confirmation that the backup was the right one."""

    seen = forms.IntegerField(min_value=1, widget=forms.HiddenInput)
    sure = forms.BooleanField(
        label=_("It was the right backup. I know that what was brought after it is lost with these keys."),
        error_messages={"required": _("Say first that it was the right backup.")},
    )
