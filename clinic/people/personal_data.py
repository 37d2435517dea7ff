"""The account, as a section of what is held about a person."""

from collections.abc import Iterator

from django.conf import settings
from django.utils.translation import gettext_lazy as _

from clinic.accounts.models import Role, User
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
