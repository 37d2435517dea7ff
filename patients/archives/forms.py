"""The form that asks for the words that encrypt an archive, and for the patient's own passphrase."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from clinic.accounts.models import User
from clinic.accounts.proof import PassphraseField, passphrase_matches

# Characters. NIST SP 800-63B asks for so many where a password is the only factor, as for an archive.
MIN_SEAL_LENGTH = 15


class PassphraseForm(forms.Form):
    """Asks for the patient's own passphrase, so that nobody else takes or destroys their things."""

    passphrase = PassphraseField()

    def is_proven(self, person: User) -> bool:
        """Return whether the form is valid and its passphrase is that of `person`. If not, it says why."""
        if not self.is_valid():
            return False
        try:
            if passphrase_matches(person, self.cleaned_data["passphrase"]):
                return True
        except ValidationError as error:
            self.add_error("passphrase", error)
            return False
        self.add_error("passphrase", _("That is not your passphrase."))
        return False


class TakeForm(PassphraseForm):
    """Asks also for the words that encrypt the archive, twice. `seal` is their field."""

    seal = forms.CharField(
        label=_("New words that seal the file"),
        help_text=_("At least 15 characters; four or five words are good. We do not keep them."),
        min_length=MIN_SEAL_LENGTH,
        max_length=200,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )
    seal_again = forms.CharField(
        label=_("The same words again"),
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if "seal" in data and "seal_again" in data and data["seal"] != data["seal_again"]:
            self.add_error("seal_again", _("These are not the same words."))
        return data
