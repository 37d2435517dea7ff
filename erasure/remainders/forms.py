"""The forms that confirm the patient's decision about a partly erased memory."""

from django import forms
from django.utils.translation import gettext_lazy as _


class GiveBackForm(forms.Form):
    sure = forms.BooleanField(label=_("I want to see it as it is now"))


class DestroyForm(forms.Form):
    passphrase = forms.CharField(
        label=_("Your passphrase, to be sure it is you"),
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
        strip=False,
    )
