"""The account: what is held of it, and what is forgotten when it is closed for good."""

from collections.abc import Iterator

from allauth.account.models import EmailAddress
from django.conf import settings
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from clinic.accounts.models import Invitation, Role, User, former_address_digest
from clinic.personal_data.forgetting import EMPTIED, closed_address, register_forgetter
from clinic.personal_data.registry import Record, make_record, register_section


@register_section(10, _("Your account"))
def account(person: User) -> Iterator[Record]:
    languages = dict(settings.LANGUAGES)
    yield make_record(
        person.name,
        (_("E-mail address"), person.email),
        (_("Language"), languages.get(person.language, person.language)),
        (_("Opened"), person.joined_at),
        (_("Last signed in"), person.last_login),
        (_("Roles"), ", ".join(str(Role(role).label) for role in sorted(person.roles))),
    )


def _is_of(person: User) -> Q:
    """Return the condition for the person's invitations: those used, and unused ones to their address."""
    return Q(used_by=person) | Q(used_by=None, email__iexact=person.email)


@register_forgetter
def forget_account(person: User) -> None:
    """Close the account, and empty its name, address and passphrase. Its sessions and invitations end.

    The digest of the address stays, so that the limit on nights holds for whoever comes back
    (patients/repeats/former_patients.py).
    """
    address = closed_address(person)
    invitations = Invitation.objects.filter(_is_of(person))
    invitations.filter(used_at=None, expires_at__gt=timezone.now()).update(expires_at=timezone.now())
    invitations.update(name=EMPTIED, email=address)
    person.former_address = former_address_digest(person.email)
    person.forgotten_at = timezone.now()
    person.name, person.email, person.language = EMPTIED, address, ""
    person.is_active = False
    person.set_unusable_password()
    person.save()
    EmailAddress.objects.filter(user=person).delete()
    person.end_sessions()
