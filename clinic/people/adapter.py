"""The settings of django-allauth that need code: its account adapter."""

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
    """Allows no open sign-up, and records every sign-in, failed sign-in and sign-out in the audit log."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def is_safe_url(self, url: str | None) -> bool:
        """Return whether a page may lead on to `url`; an address that cannot be read is not safe.

        allauth fails with such an address, for instance in ?next= of the sign-in page.
        """
        try:
            return bool(super().is_safe_url(url))
        except ValueError:
            return False

    def _get_login_attempts_cache_key(self, request: HttpRequest, **credentials: Any) -> str:
        """Return what failed sign-ins are counted by: the address that was typed.

        allauth adds the Host header, whose port everybody may choose, so each port would have a counter.
        """
        return str(credentials.get("email", "")).lower()

    def authentication_failed(self, request: HttpRequest, **credentials: Any) -> None:
        """Record the failure, with the account if the address has one.

        The response does not depend on that.
        """
        super().authentication_failed(request, **credentials)
        _record_failure(User.objects.filter(email__iexact=str(credentials.get("email", ""))).first())

    def respond_user_inactive(self, request: HttpRequest, user: Any) -> HttpResponse:
        """Record a failed sign-in.

        allauth calls this if the passphrase was right but the account is closed.
        """
        _record_failure(user)
        return cast(HttpResponse, super().respond_user_inactive(request, user))

    def reauthenticate(self, user: Any, password: str) -> bool:
        """Return whether this is the user's passphrase.

        Overridden because allauth would read the address from its own table, which we do not use.
        """
        found = self.authenticate(context.request, email=user.email, password=password)
        return found is not None and found.pk == user.pk

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        """Send one of allauth's mails.

        Errors: ServiceUnavailable. Then a 503 page is shown, so that nobody waits for a link that was not
        sent.
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
        user_id = request.user.pk  # read before the session is flushed
        super().logout(request)
        if user_id:
            record(Act("person.signed-out", f"user:{user_id}", actor=f"user:{user_id}"))

    @transaction.atomic
    def set_password(self, user: Any, password: str) -> None:
        """Change the passphrase. It is part of the session hash, so the user's other sessions end."""
        super().set_password(user, password)
        record(Act("person.passphrase-changed", f"user:{user.pk}", actor=actor_of(user)))


@transaction.atomic
def _record_failure(account: User | None) -> None:
    """Record a failed sign-in; for an address without account the subject is "user:unknown"."""
    subject = f"user:{account.pk}" if account else "user:unknown"
    record(Act("person.sign-in-failed", subject, actor="visitor"))
