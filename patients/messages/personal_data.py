"""The messages between a patient and the clinic, as a section of what is held about them."""

from collections.abc import Iterator

from django.utils.translation import gettext_lazy as _

from clinic.accounts.models import User
from clinic.personal_data.registry import Record, make_record, register_section
from patients.cases.models import Case
from patients.messages.archived import message_entries


@register_section(64, _("Messages with the clinic"))
def messages(person: User) -> Iterator[Record]:
    for entry in message_entries(*Case.objects.filter(patient=person)):
        yield make_record(
            entry.who, (_("When"), entry.when), (_("About"), entry.about), (_("Words"), entry.words)
        )
