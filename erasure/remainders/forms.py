"""The forms that confirm the patient's decision about a partly erased memory."""

from django import forms
from django.utils.translation import gettext_lazy as _

from clinic.accounts.proof import PassphraseField


class GiveBackForm(forms.Form):
    """Confirms that the patient wants to see what is left."""

    sure = forms.BooleanField(label=_("I want to see it as it is now"))


class DestroyForm(forms.Form):
    """Confirms the destruction with the patient's passphrase."""

    passphrase = PassphraseField()
