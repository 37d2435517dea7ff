"""Asking for the passphrase again before a grave action. Attempts are throttled like sign-ins."""

from allauth.account.adapter import get_adapter

from clinic.accounts.models import User


def passphrase_matches(user: User, passphrase: str) -> bool:
    """Return whether `passphrase` is the user's.

    The check is slow by design: do not call it in a transaction.
    A wrong passphrase is counted and recorded like a failed sign-in.
    Errors: ValidationError after too many wrong ones.
    """
    return bool(get_adapter().reauthenticate(user, passphrase))
