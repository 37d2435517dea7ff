"""The settings of django-allauth that need code: its account adapter."""

from smtplib import SMTPException
from typing import Any, cast

from allauth.account.adapter import DefaultAccountAdapter
from allauth.core import context
from django.db import transaction
from django.http import HttpRequest, HttpResponse

from clinic.accounts.models import User
from clinic.audit.record import Act, actor_of, record
from clinic.names import address_key, normalize_address
from clinic.people.language import language_at_first
from clinic.unavailable import ServiceUnavailable


class AccountAdapter(DefaultAccountAdapter):
    """Closes the public sign-up, and records each sign-in, failed sign-in and sign-out in the audit log."""

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
        """Return the key by which failed sign-ins are counted: the address that was typed.

        allauth's key also has the Host header. Its port can be anything, so each port would have a counter.
        """
        return str(credentials.get("email", "")).lower()

    def clean_email(self, email: str) -> str:
        """Return the stored form of a typed address, also if no account has it."""
        account = User.objects.at_address(email).first()
        return account.email if account else address_key(email)

    def authenticate(self, request: HttpRequest, **credentials: Any) -> Any:
        """Return the account with this address and passphrase, or None. Errors: ValidationError if throttled.

        The address is looked up in its stored form.
        """
        if email := credentials.get("email"):
            credentials["email"] = self.clean_email(str(email))
        return super().authenticate(request, **credentials)

    def authentication_failed(self, request: HttpRequest, **credentials: Any) -> None:
        """Record the failure, with the account if the address has one.

        The response is the same with and without an account.
        """
        super().authentication_failed(request, **credentials)
        _record_failure(User.objects.at_address(str(credentials.get("email", ""))).first())

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
        """Send one of allauth's mails at once. The domain of the address is in the form that accounts have.

        The mails are not queued: the queue would have to store the link that opens an account. The domain as
        typed could be another than the account's, because ß is ss in the older IDNA.
        Errors: ServiceUnavailable. Then a 503 page is shown, so that nobody waits for a link that was not
        sent.
        """
        try:
            super().send_mail(template_prefix, normalize_address(email), context)
        except (SMTPException, OSError) as error:
            raise ServiceUnavailable(f"A mail could not be handed over: {error}") from error

    @transaction.atomic
    def login(self, request: HttpRequest, user: Any) -> None:
        super().login(request, user)
        language_at_first(user)
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
