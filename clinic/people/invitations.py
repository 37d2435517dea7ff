"""Invitations: creating, accepting and withdrawing them.

The token in the link is only in the mail. It is not stored while the mail waits either: it is a keyed digest
of the invitation's id under SECRET_KEY, computed when the mail is written. The database has only the token's
SHA-256 digest. So nobody can accept an invitation with a copy of the database, even while its mail is queued.
With SECRET_KEY as well they could compute the tokens, as they could those of passphrase resets.
"""

import base64
import hashlib
from collections.abc import Callable
from datetime import timedelta
from uuid import UUID, uuid4

from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.crypto import constant_time_compare
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _

from clinic.accounts.models import Invitation, Role, User
from clinic.audit.record import Act, actor_of, record
from clinic.configuration.values import value_of
from clinic.keyed_digests import keyed_digest, keyed_digests
from clinic.names import normalize_address, normalize_text
from clinic.outgoing.queue import cancel, queue
from clinic.outgoing.recipients import Audience, Recipient
from clinic.people.configuration import INVITATION_DAYS

# Functions of higher apps, called with the user and the role when an invitation is accepted, in the same
# transaction.
on_joined: list[Callable[[User, str], None]] = []

TOKEN_SALT = "clinic.people.invitation"  # noqa: S105 - says what the digest is for


class Closed(Exception):
    """The invitation was used, has expired, or is for somebody else. The message says which."""


USED_OR_EXPIRED = gettext_lazy(
    "This invitation has been used or has expired. Please ask the front desk for a new one."
)


def digest(token: str) -> str:
    """Return the SHA-256 (hex) of a token, which is stored.

    A salt is not needed: a token has 256 bits that nobody can guess.
    """
    return hashlib.sha256(token.encode()).hexdigest()


def _as_token(keyed: str) -> str:
    """Return a keyed digest (64 hexadecimal digits) as a token for a link: 43 characters of base64."""
    return base64.urlsafe_b64encode(bytes.fromhex(keyed)).decode().rstrip("=")


def token_of(invitation: Invitation) -> str:
    """Return the token of an invitation.

    Errors: LookupError if SECRET_KEY has changed since it was made, and the former key is not among
    SECRET_KEY_FALLBACKS. Somebody has to invite again then.
    """
    for keyed in keyed_digests(TOKEN_SALT, str(invitation.pk)):
        token = _as_token(keyed)
        if constant_time_compare(digest(token), invitation.token_digest):
            return token
    raise LookupError(f"SECRET_KEY has changed since invitation {invitation.pk} was made")


@transaction.atomic
def invite(
    email: str,
    name: str,
    role: str,
    *,
    by: User,
    base: str,
    language: str = "en",
    event: str = "invitation",
) -> Invitation:
    """Create an invitation and queue the mail with its link.

    base: the root URL of this server. language: of the mail. event: which mail it is.
    """
    pk = uuid4()
    row = Invitation.objects.create(
        pk=pk,
        email=normalize_address(email),
        name=normalize_text(name),
        role=role,
        language=language,
        token_digest=digest(_as_token(keyed_digest(TOKEN_SALT, str(pk)))),
        invited_by=by,
        expires_at=timezone.now() + timedelta(days=value_of(INVITATION_DAYS)),
    )
    audience = Audience.PATIENT if role == Role.PATIENT else Audience.STAFF
    reference = f"invitation:{pk}"
    queue(event, reference, to=[Recipient(reference, audience, language)], version=1, base=base)
    record(Act("person.invited", f"invitation:{row.pk}", actor=actor_of(by), details={"role": str(role)}))
    return row


@transaction.atomic
def expire(invitation: Invitation) -> bool:
    """End an unused invitation, and its mail if that still waits. Return whether it was unused."""
    unused = Invitation.objects.filter(pk=invitation.pk, used_at__isnull=True)
    if unused.update(expires_at=timezone.now()) != 1:
        return False
    cancel(f"invitation:{invitation.pk}")
    return True


def open_invitation(token: str, *, existing: User | None = None) -> Invitation:
    """Return the invitation of a token without using it.

    existing: the signed-in user, if any. Errors: Closed, also if the invitation is for another address than
    theirs.
    """
    found = Invitation.objects.filter(token_digest=digest(token)).first()
    if found is None or not found.is_open(timezone.now()):
        raise Closed(USED_OR_EXPIRED)
    if existing is not None and User.objects.at_address(found.email).first() != existing:
        raise Closed(_("This invitation is for another address. Please sign out, then open its link again."))
    return found


def has_account(found: Invitation) -> bool:
    """Return whether the address has an account already. Its owner has to sign in to accept the role."""
    return User.objects.at_address(found.email).exists()


@transaction.atomic
def accept(
    token: str,
    *,
    name: str = "",
    family_name_first: bool = False,
    passphrase: str = "",
    existing: User | None = None,
) -> User:
    """Accept an invitation: create the account, or add the role to the account `existing`.

    family_name_first: whether `name` begins with the family name. existing: the signed-in user, whose address
    must be that of the invitation. Their sessions end.
    Errors: Closed, also for the second of two calls at the same time.
    """
    if existing is not None:
        # Closing an account for good locks this row, too.
        existing = User.objects.select_for_update().get(pk=existing.pk)
    found = open_invitation(token, existing=existing)
    if Invitation.objects.filter(pk=found.pk, used_at__isnull=True).update(used_at=timezone.now()) != 1:
        raise Closed(USED_OR_EXPIRED)
    cancel(f"invitation:{found.pk}")  # whoever has the link needs no mail any more
    if existing is None:
        try:
            user = User.objects.create_user(
                found.email,
                passphrase,
                name=name or found.name,
                family_name_first=family_name_first,
                roles=(found.role,),
                language=get_language() or "",
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
    for call_joined in on_joined:
        call_joined(user, found.role)
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
    found = waiting().filter(pk=pk).first()
    if found is None or not expire(found):
        return False
    record(Act("person.invitation-withdrawn", f"invitation:{pk}", actor=actor_of(by)))
    return True
