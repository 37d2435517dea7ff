"""How a patient is reached: a section of what is held about them. It is deleted with the account."""

from collections.abc import Iterator

from django.utils.translation import gettext_lazy as _

from clinic.accounts.models import User
from clinic.personal_data.forgetting import register_forgetter
from clinic.personal_data.registry import Record, make_record, register_section
from patients.contacts.models import Contact


@register_section(12, _("How we reach you"))
def contact(person: User) -> Iterator[Record]:
    for row in Contact.objects.filter(patient=person):
        yield make_record(
            _("Contact"),
            (_("Telephone"), row.phone),
            (_("Address"), row.address),
            (_("Reached"), row.get_way_display()),
        )


@register_forgetter
def forget_contact(person: User) -> None:
    Contact.objects.filter(patient=person).delete()
