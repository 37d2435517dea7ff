"""Asking for the passphrase again before a grave action. Attempts are throttled like sign-ins."""

from typing import Any

from allauth.account.adapter import get_adapter
from django import forms
from django.utils.translation import gettext_lazy as _

from clinic.accounts.models import User


class PassphraseField(forms.CharField):
    """Asks for the passphrase of the person who is signed in. The view or the form checks it."""

    def __init__(self, **kwargs: Any) -> None:
        widget = forms.PasswordInput(attrs={"autocomplete": "current-password"})
        label = _("Your passphrase, to be sure it is you")
        super().__init__(**{"label": label, "strip": False, "widget": widget, **kwargs})


def passphrase_matches(user: User, passphrase: str) -> bool:
    """Return whether `passphrase` is the user's.

    The check is slow by design: do not call it in a transaction.
    A wrong passphrase is counted and recorded like a failed sign-in.
    Errors: ValidationError after too many wrong ones.
    """
    return bool(get_adapter().reauthenticate(user, passphrase))
