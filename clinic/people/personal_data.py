"""The account: what is held of it, and what is forgotten when it is closed for good."""

from collections.abc import Iterator

from allauth.account.models import EmailAddress
from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from clinic.accounts.models import Invitation, Role, User, former_address_digest
from clinic.personal_data.forgetting import register_forgetter
from clinic.personal_data.registry import Record, record, register_section


@register_section(10, _("Your account"))
def account(person: User) -> Iterator[Record]:
    languages = dict(settings.LANGUAGES)
    yield record(
        person.name,
        (_("E-mail address"), person.email),
        (_("Language"), languages.get(person.language, person.language)),
        (_("Opened"), person.joined_at),
        (_("Last signed in"), person.last_login),
        (_("Roles"), ", ".join(str(Role(role).label) for role in sorted(person.roles))),
    )


NOBODY = "—"  # the name of an account that was closed for good


@register_forgetter
def forget_account(person: User) -> None:
    """Close the account, and empty its name, address and passphrase. Its sessions end.

    The digest of the address stays, so that the limit on nights holds for whoever comes back
    (patients/repeats/former_patients.py). The address gets a domain that nobody can have (RFC 2606).
    """
    person.former_address = former_address_digest(person.email)
    person.forgotten_at = timezone.now()
    person.name, person.email, person.language = NOBODY, f"{person.pk}@closed.invalid", ""
    person.is_active = False
    person.set_unusable_password()
    person.save()
    EmailAddress.objects.filter(user=person).delete()
    Invitation.objects.filter(used_by=person).update(name=NOBODY, email=person.email)
    person.end_sessions()
