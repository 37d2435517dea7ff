"""Inviting a person, and their coming in. The token stands in the mail alone."""

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

# What a higher room does for a person who came in with a role, inside the transaction of their coming in.
on_joined: list[Callable[[User, str], None]] = []


class Closed(Exception):
    """The invitation was used, has expired, or is not for this person; the message says so."""


SPENT = gettext_lazy("This invitation has been used or has expired. Please ask the front desk for a new one.")


def digest(token: str) -> str:
    """SHA-256 (hex) of a token: what the database keeps of it. The token has 256 random bits, so no salt."""
    return hashlib.sha256(token.encode()).hexdigest()


@transaction.atomic
def invite(email: str, name: str, role: str, *, by: User, base: str, language: str = "en") -> Invitation:
    """Create an invitation and mail its link once that is certain. `base`: this house's address.

    Errors: Unsent, as the transaction ends: the invitation stands, and nobody has its link.
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
    """Return the invitation of a token if it can still be used, by `existing` where somebody is signed in.

    Looking does not use it. Errors: Closed.
    """
    found = Invitation.objects.filter(token_digest=digest(token)).first()
    if found is None or not found.is_open(timezone.now()):
        raise Closed(SPENT)
    if existing is not None and existing.email.lower() != found.email.lower():
        raise Closed(_("This invitation is for another address. Please sign out, then open its link again."))
    return found


def has_account(found: Invitation) -> bool:
    """Whether the address has an account already: its owner signs in, and the role is added."""
    return User.objects.filter(email__iexact=found.email).exists()


@transaction.atomic
def accept(token: str, *, name: str = "", passphrase: str = "", existing: User | None = None) -> User:
    """Use an invitation up: make the account, or add the role to an `existing` one of the same address.

    An existing account's sessions end with the change. Errors: Closed, also for the second of two who try at
    once.
    """
    found = open_invitation(token, existing=existing)
    if Invitation.objects.filter(pk=found.pk, used_at__isnull=True).update(used_at=timezone.now()) != 1:
        raise Closed(SPENT)
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
    for welcome in on_joined:
        welcome(user, found.role)
    record(Act("person.joined", f"user:{user.pk}", actor=actor_of(user), details={"role": str(found.role)}))
    return user


def waiting() -> QuerySet[Invitation]:
    """Invitations of staff that can still be used, newest first."""
    now = timezone.now()
    rows = Invitation.objects.filter(used_at__isnull=True, expires_at__gt=now).exclude(role=Role.PATIENT)
    return rows.order_by("-created_at", "pk")


@transaction.atomic
def take_back(pk: UUID, *, by: User) -> bool:
    """End an invitation of staff that nobody has used. Returns whether there was one to end."""
    if waiting().filter(pk=pk).update(expires_at=timezone.now()) != 1:
        return False
    record(Act("person.invitation-withdrawn", f"invitation:{pk}", actor=actor_of(by)))
    return True
