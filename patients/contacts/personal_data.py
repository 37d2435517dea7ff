"""How a patient is reached, as a section of what is held about them."""

from collections.abc import Iterator

from django.utils.translation import gettext_lazy as _

from clinic.accounts.models import User
from clinic.personal_data.registry import Record, record, register_section
from patients.contacts.models import Contact


@register_section(12, _("How we reach you"))
def contact(person: User) -> Iterator[Record]:
    for row in Contact.objects.filter(patient=person):
        yield record(
            _("Contact"),
            (_("Telephone"), row.phone),
            (_("Address"), row.address),
            (_("Reached"), row.get_way_display()),
        )
