"""The forms that sign a consent: questions on the text, the signer's name, and the passphrase again."""

from typing import Any

from allauth.account.adapter import get_adapter
from allauth.core import ratelimit
from django import forms
from django.http import HttpRequest
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from clinic.accounts.models import User
from clinic.names import normalize_text


def _signed(name: str) -> str:
    """Return a name as a signature is compared: accents count, case and extra spaces do not."""
    return normalize_text(name).casefold()


class SignForm(forms.Form):
    """Confirms who signs. The page shows the text above the form.

    text_seen, map_seen: digests of what the page showed.
    """

    text_seen = forms.CharField(widget=forms.HiddenInput, max_length=64)
    map_seen = forms.CharField(widget=forms.HiddenInput, max_length=64, required=False)
    name = forms.CharField(label=_("Your name, as your signature"), max_length=120)
    passphrase = forms.CharField(
        label=_("Your passphrase, to be sure it is you"),
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )

    def __init__(self, *args: Any, request: HttpRequest, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.request = request

    def clean_name(self) -> str:
        name: str = self.cleaned_data["name"]
        user = self.request.user
        if not isinstance(user, User) or _signed(name) != _signed(user.name):
            raise forms.ValidationError(_("Please write your name as it stands in your file."))
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
        if not get_adapter(self.request).reauthenticate(user, passphrase):
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
    field_order = ["gone", "stop", "kept", "may_extend", "name", "passphrase"]

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
