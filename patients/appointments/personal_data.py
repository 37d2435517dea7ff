"""A patient's appointments, as a section of what is held about them."""

from collections.abc import Iterator

from django.utils.translation import gettext_lazy as _

from clinic.accounts.models import User
from clinic.personal_data.registry import Record, make_record, register_section
from patients.appointments.models import Appointment
from patients.vault.sealed import with_fields


@register_section(60, _("Your appointments"))
def appointments(person: User) -> Iterator[Record]:
    made = Appointment.objects.made().filter(case__patient=person).select_related("booking")
    rows = made.order_by("booking__starts_at")
    for row, fields in with_fields(rows):
        yield make_record(
            row.name,
            (_("Begins"), row.booking.starts_at),
            (_("Ends"), row.booking.ends_at),
            (_("State"), row.get_status_display()),
            (_("Booked"), row.booked_at),
            (_("Arrived"), row.arrived_at),
            (_("Canceled"), row.cancelled_at),
            (_("Why it was moved or canceled"), row.get_reason_display()),
            (_("Words"), fields.words),
        )
