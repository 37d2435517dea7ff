"""Signing: a question or two, one's name, and one's passphrase again."""

from typing import Any

from django import forms
from django.contrib.auth import authenticate
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from clinic.people.models import User


class SignForm(forms.Form):
    """What is signed stands above the form; here it is confirmed who signs, and that they want to."""

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
        name: str = " ".join(self.cleaned_data["name"].split())
        user = self.request.user
        if not isinstance(user, User) or name.casefold() != user.name.casefold():
            raise forms.ValidationError(_("Please write your name as it stands in your file."))
        return name

    def clean_passphrase(self) -> str:
        passphrase: str = self.cleaned_data["passphrase"]
        user = self.request.user
        known = isinstance(user, User) and authenticate(self.request, email=user.email, password=passphrase)
        if known != user:
            raise forms.ValidationError(_("That is not your passphrase."))
        return passphrase


class ProcedureSignForm(SignForm):
    """For the procedure the patient first shows that the text was understood."""

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
    may_extend = forms.BooleanField(
        label=_("If a copy is found outside my map while I sleep, the doctor may erase it too."),
        required=False,
    )
    field_order = ["gone", "stop", "may_extend", "name", "passphrase"]

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
