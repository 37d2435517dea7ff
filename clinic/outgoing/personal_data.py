"""The mail to a patient, as a section of what is held about them. Its words are not stored (models.py)."""

from collections.abc import Iterator

from django.utils.translation import gettext_lazy as _

from clinic.accounts.models import User
from clinic.outgoing.events import event_title
from clinic.outgoing.models import OutgoingMessage
from clinic.outgoing.recipients import to_patient
from clinic.personal_data.registry import Record, make_record, register_section


@register_section(80, _("Mail to you"))
def mail(person: User) -> Iterator[Record]:
    messages = OutgoingMessage.objects.filter(recipient=to_patient(person).reference)
    for message in messages.order_by("queued_at"):
        yield make_record(
            event_title(message.event),
            (_("Written"), message.queued_at),
            (_("State"), message.get_status_display()),
            (_("Ended"), message.ended_at),
            (_("Why"), message.get_reason_display()),
        )
