"""Invitations: creating, accepting and withdrawing them. The token is only in the mail."""

import hashlib
import secrets
from collections.abc import Callable
from datetime import timedelta
from urllib.parse import urljoin
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from clinic.accounts.models import Invitation, Role, User
from clinic.audit.record import Act, actor_of, record
from clinic.mail import send

# Functions of the apps above, called with the user and the role when an invitation is accepted, in its
# transaction.
on_joined: list[Callable[[User, str], None]] = []


class Closed(Exception):
    """The invitation was used, has expired, or is for somebody else. The message says which."""


USED_OR_EXPIRED = gettext_lazy(
    "This invitation has been used or has expired. Please ask the front desk for a new one."
)


def digest(token: str) -> str:
    """Return the SHA-256 (hex) of a token, which is stored.

    A salt is not needed: a token has 256 random bits.
    """
    return hashlib.sha256(token.encode()).hexdigest()


@transaction.atomic
def invite(email: str, name: str, role: str, *, by: User, base: str, language: str = "en") -> Invitation:
    """Create an invitation and mail its link after the transaction has been committed.

    base: the root URL of this server. Errors: Unsent, raised after the commit: the invitation then exists,
    but nobody has its link.
    """
    token = secrets.token_urlsafe(32)
    made = Invitation.objects.create(
        email=email,
        name=name,
        role=role,
        token_digest=digest(token),
        invited_by=by,
        expires_at=timezone.now() + timedelta(days=settings.LACUNA_INVITATION_DAYS),
    )
    record(Act("person.invited", f"invitation:{made.pk}", actor=actor_of(by), details={"role": str(role)}))
    url = urljoin(base, reverse("invitation", args=[token]))
    with translation.override(language):
        subject = _("Your invitation to Lacuna")
        body = render_to_string(
            "clinic/people/invitation.txt",
            {"invitation": made, "url": url, "days": settings.LACUNA_INVITATION_DAYS},
        )
    transaction.on_commit(lambda: send(subject, body, email))
    return made


def open_invitation(token: str, *, existing: User | None = None) -> Invitation:
    """Return the invitation of a token without using it.

    existing: the signed-in user, if any. Errors: Closed, also if the invitation is for another address than
    theirs.
    """
    found = Invitation.objects.filter(token_digest=digest(token)).first()
    if found is None or not found.is_open(timezone.now()):
        raise Closed(USED_OR_EXPIRED)
    if existing is not None and existing.email.lower() != found.email.lower():
        raise Closed(_("This invitation is for another address. Please sign out, then open its link again."))
    return found


def has_account(found: Invitation) -> bool:
    """Return whether the address has an account already. Its owner has to sign in to accept the role."""
    return User.objects.filter(email__iexact=found.email).exists()


@transaction.atomic
def accept(token: str, *, name: str = "", passphrase: str = "", existing: User | None = None) -> User:
    """Accept an invitation: create the account, or add the role to the account `existing`.

    existing: the signed-in user, whose address must be that of the invitation. Their sessions end.
    Errors: Closed, also for the second of two calls at the same time.
    """
    found = open_invitation(token, existing=existing)
    if Invitation.objects.filter(pk=found.pk, used_at__isnull=True).update(used_at=timezone.now()) != 1:
        raise Closed(USED_OR_EXPIRED)
    if existing is None:
        try:
            user = User.objects.create_user(
                found.email, passphrase, name=name or found.name, roles=(found.role,)
            )
        except IntegrityError:
            raise Closed(
                _("There is an account for this address. Please sign in and open the link again.")
            ) from None
    else:
        user = existing
        user.grants.get_or_create(role=found.role, defaults={"granted_by": found.invited_by})
        user.forget_roles()
        user.end_sessions()
    Invitation.objects.filter(pk=found.pk).update(used_by=user)
    for joined in on_joined:
        joined(user, found.role)
    record(Act("person.joined", f"user:{user.pk}", actor=actor_of(user), details={"role": str(found.role)}))
    return user


def waiting() -> QuerySet[Invitation]:
    """Return the invitations of staff that can still be used, newest first."""
    now = timezone.now()
    rows = Invitation.objects.filter(used_at__isnull=True, expires_at__gt=now).exclude(role=Role.PATIENT)
    return rows.order_by("-created_at", "pk")


@transaction.atomic
def take_back(pk: UUID, *, by: User) -> bool:
    """Withdraw an unused invitation of staff. Return whether there was one."""
    if waiting().filter(pk=pk).update(expires_at=timezone.now()) != 1:
        return False
    record(Act("person.invitation-withdrawn", f"invitation:{pk}", actor=actor_of(by)))
    return True
