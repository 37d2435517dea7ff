"""The forms that sign a consent: questions on the text, the signers' names, and the passphrase again."""

from typing import Any

from allauth.core import ratelimit
from django import forms
from django.http import HttpRequest
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from clinic.accounts.models import User
from clinic.accounts.proof import PassphraseField, passphrase_matches
from clinic.names import normalize_text, same_name
from patients.cases.models import Case
from patients.consent_papers.signing import may_witness


class SignForm(forms.Form):
    """The name and the passphrase of who signs. The page shows the text above the form.

    text_seen, map_seen, list_seen: digests of what the page showed. hours_seen: `CoolingOff.mark`.
    list_shown: `mark_of` the list that was shown (differences.py).
    """

    text_seen = forms.CharField(widget=forms.HiddenInput, max_length=64)
    map_seen = forms.CharField(widget=forms.HiddenInput, max_length=64, required=False)
    hours_seen = forms.CharField(widget=forms.HiddenInput, max_length=20, required=False)
    list_seen = forms.CharField(widget=forms.HiddenInput, max_length=64, required=False)
    list_shown = forms.CharField(widget=forms.HiddenInput, required=False)
    name = forms.CharField(
        label=_("Your name, as your signature"),
        help_text=_("In whatever letters you write it."),
        max_length=120,
        widget=forms.TextInput(attrs={"autocomplete": "name", "dir": "auto"}),
    )
    passphrase = PassphraseField()

    def __init__(self, *args: Any, request: HttpRequest, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.request = request

    def clean_name(self) -> str:
        name, user = normalize_text(self.cleaned_data["name"]), self.request.user
        if not isinstance(user, User) or not same_name(name, user.name):
            known = user.name if isinstance(user, User) else ""
            raise forms.ValidationError(
                _(
                    "In your file your name is %(name)s. Please sign with that name, in whatever letters you"
                    " like."
                )
                % {"name": known}
            )
        return name

    def clean(self) -> dict[str, Any]:
        """Check the passphrase last: an error in another field must not use up an attempt."""
        data = super().clean() or {}
        if not self.errors and (error := self._identity_error(data["passphrase"])):
            self.add_error("passphrase", error)
        return data

    def _identity_error(self, passphrase: str) -> str:
        """Check the user's passphrase. Return an error message or "". Attempts are limited and logged."""
        user = self.request.user
        if not ratelimit.consume(self.request, action="reauthenticate", user=user):
            return gettext("Too many attempts. Please wait a minute, then try again.")
        if not isinstance(user, User) or not passphrase_matches(user, passphrase):
            return gettext("That is not your passphrase.")
        return ""


class ProcedureSignForm(SignForm):
    """The form for the procedure: it also asks three questions, to see that the text was understood."""

    gone = forms.ChoiceField(
        label=_("What is erased by morning"),
        choices=[("back", _("can be brought back if I ask")), ("stays", _("stays gone, whatever I ask"))],
        widget=forms.RadioSelect,
    )
    stop = forms.ChoiceField(
        label=_("I can stop it"),
        choices=[
            ("until", _("at any moment, until the last key is gone")),
            ("before", _("only before it begins")),
        ],
        widget=forms.RadioSelect,
    )
    kept = forms.ChoiceField(
        label=_("A memory I marked to be kept"),
        choices=[("last", _("is erased last")), ("kept", _("is kept"))],
        widget=forms.RadioSelect,
    )
    may_extend = forms.BooleanField(
        label=_("If a copy is found outside my map while I sleep, the doctor may erase it too."),
        required=False,
    )
    witness = forms.CharField(
        label=_("The name of your witness, as their signature"),
        help_text=_("Somebody who is with you now, such as a companion. They write it themselves."),
        max_length=120,
        widget=forms.TextInput(attrs={"autocomplete": "off", "dir": "auto"}),
    )
    witness_present = forms.BooleanField(
        label=_("To be ticked by the witness: I was there when this list was read and signed.")
    )
    field_order = ["gone", "stop", "kept", "may_extend", "name", "witness", "witness_present", "passphrase"]

    def __init__(self, *args: Any, case: Case, witnesses: int, **kwargs: Any) -> None:
        """witnesses: how many sign beside the patient (configuration.py)."""
        super().__init__(*args, **kwargs)
        self.case = case
        if not witnesses:
            del self.fields["witness"], self.fields["witness_present"]

    def clean_witness(self) -> str:
        name = normalize_text(self.cleaned_data["witness"])
        if not any(char.isalpha() for char in name):
            raise forms.ValidationError(_("Please ask the witness to write their name."))
        if not may_witness(name, self.case):
            raise forms.ValidationError(
                _("A witness is somebody else: neither you, nor the person whom you want to forget.")
            )
        return name

    def clean_gone(self) -> str:
        if self.cleaned_data["gone"] != "stays":
            raise forms.ValidationError(
                _("Please read the second paragraph again: nothing can be brought back.")
            )
        return "stays"

    def clean_stop(self) -> str:
        if self.cleaned_data["stop"] != "until":
            raise forms.ValidationError(
                _("Please read the third paragraph again: you can stop at any moment.")
            )
        return "until"

    def clean_kept(self) -> str:
        if self.cleaned_data["kept"] != "kept":
            raise forms.ValidationError(
                _("Please read the fourth paragraph again: what you mark as protected is kept.")
            )
        return "kept"
