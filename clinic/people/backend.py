"""The authentication backend: django-allauth's, for passphrases that may be hashed in more than one form."""

from typing import Any

from allauth.account.auth_backends import AuthenticationBackend
from django.http import HttpRequest

from clinic.accounts.models import User
from clinic.names import passphrase_forms


class PassphraseBackend(AuthenticationBackend):
    """Signs people in with e-mail address and passphrase."""

    def authenticate(self, request: HttpRequest | None, **credentials: Any) -> User | None:
        """Return the account, or None. At a sign-in, hash a passphrase of an earlier form in the present one.

        Not when the passphrase is only checked again within a session: a new hash would end the session.
        """
        user: User | None = super().authenticate(request, **credentials)
        if user is not None and request is not None and not request.user.is_authenticated:
            user.rehash_passphrase(credentials["password"])
        return user

    def _mitigate_timing_attack(self, password: str) -> None:
        """Hash as often for an address without account as for a wrong passphrase of an account."""
        for form in passphrase_forms(password):
            super()._mitigate_timing_attack(form)
