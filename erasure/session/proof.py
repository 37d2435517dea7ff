"""Whether it is really the person who is signed in: the passphrase again, throttled like any sign-in."""

from allauth.account.adapter import get_adapter

from clinic.accounts.models import User


def proven(user: User, passphrase: str) -> bool:
    """Check a passphrase. Slow by design, so before any transaction.

    Failures are counted and recorded as failed sign-ins are. Errors: ValidationError after too many of them.
    """
    return bool(get_adapter().reauthenticate(user, passphrase))
