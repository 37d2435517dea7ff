"""How allauth behaves in this house."""

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from django.db import transaction
from django.http import HttpRequest

from clinic.audit.record import Act, actor_of, record
from clinic.people.models import User


class AccountAdapter(DefaultAccountAdapter):
    """No open sign-up; every sign-in, failed or not, is in the log."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def authentication_failed(self, request: HttpRequest, **credentials: Any) -> None:
        """Record the failure against the account if there is one; the answer is the same either way."""
        super().authentication_failed(request, **credentials)
        account = User.objects.filter(email__iexact=str(credentials.get("email", ""))).first()
        with transaction.atomic():
            record(
                Act(
                    "person.sign-in-failed",
                    f"user:{account.pk}" if account else "user:unknown",
                    actor="visitor",
                )
            )

    @transaction.atomic
    def login(self, request: HttpRequest, user: Any) -> None:
        super().login(request, user)
        record(Act("person.signed-in", f"user:{user.pk}", actor=actor_of(user)))

    @transaction.atomic
    def logout(self, request: HttpRequest) -> None:
        user = request.user
        super().logout(request)
        if isinstance(user, User):
            record(Act("person.signed-out", f"user:{user.pk}", actor=actor_of(user)))

    @transaction.atomic
    def set_password(self, user: Any, password: str) -> None:
        """Change the passphrase; it is part of the session hash, so other sessions end with it."""
        super().set_password(user, password)
        record(Act("person.passphrase-changed", f"user:{user.pk}", actor=actor_of(user)))
