"""How allauth behaves in this house."""

from smtplib import SMTPException
from typing import Any, cast

from allauth.account.adapter import DefaultAccountAdapter
from allauth.core import context
from django.db import transaction
from django.http import HttpRequest, HttpResponse

from clinic.accounts.models import User
from clinic.audit.record import Act, actor_of, record
from clinic.unavailable import ServiceUnavailable


class AccountAdapter(DefaultAccountAdapter):
    """No open sign-up; every sign-in, failed or not, is in the log."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def authentication_failed(self, request: HttpRequest, **credentials: Any) -> None:
        """Record the failure against the account if there is one; the answer is the same either way."""
        super().authentication_failed(request, **credentials)
        _record_failure(User.objects.filter(email__iexact=str(credentials.get("email", ""))).first())

    def respond_user_inactive(self, request: HttpRequest, user: Any) -> HttpResponse:
        """The passphrase was right and the account is closed: a failed sign-in all the same."""
        _record_failure(user)
        return cast(HttpResponse, super().respond_user_inactive(request, user))

    def reauthenticate(self, user: Any, password: str) -> bool:
        """Whether the passphrase is this person's. allauth looks for the address in a table we don't fill."""
        found = self.authenticate(context.request, email=user.email, password=password)
        return found is not None and found.pk == user.pk

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        """Send a mail of allauth's.

        Errors: ServiceUnavailable. A page says so, because people would wait for a link that never comes.
        """
        try:
            super().send_mail(template_prefix, email, context)
        except (SMTPException, OSError) as error:
            raise ServiceUnavailable(f"A mail could not be handed over: {error}") from error

    @transaction.atomic
    def login(self, request: HttpRequest, user: Any) -> None:
        super().login(request, user)
        record(Act("person.signed-in", f"user:{user.pk}", actor=actor_of(user)))

    @transaction.atomic
    def logout(self, request: HttpRequest) -> None:
        who = request.user.pk  # read before the session it comes from is gone
        super().logout(request)
        if who:
            record(Act("person.signed-out", f"user:{who}", actor=f"user:{who}"))

    @transaction.atomic
    def set_password(self, user: Any, password: str) -> None:
        """Change the passphrase; it is part of the session hash, so other sessions end with it."""
        super().set_password(user, password)
        record(Act("person.passphrase-changed", f"user:{user.pk}", actor=actor_of(user)))


@transaction.atomic
def _record_failure(account: User | None) -> None:
    subject = f"user:{account.pk}" if account else "user:unknown"
    record(Act("person.sign-in-failed", subject, actor="visitor"))
