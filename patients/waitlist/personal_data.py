"""A patient's places on the waitlist, as a section of what is held about them."""

from collections.abc import Iterator

from django.utils.translation import gettext_lazy as _

from clinic.accounts.models import User
from clinic.personal_data.registry import Record, make_record, register_section
from patients.vault.sealed import with_fields
from patients.waitlist.models import WaitlistEntry


@register_section(62, _("What you wait for"))
def entries(person: User) -> Iterator[Record]:
    rows = WaitlistEntry.objects.filter(case__patient=person).order_by("made_at")
    for row, fields in with_fields(rows):
        yield make_record(
            row.get_kind_display(),
            (_("Since"), row.made_at),
            (_("First day"), row.first_day),
            (_("Last day"), row.last_day),
            (_("Words"), fields.note),
            (_("Ended"), row.ended_at),
            (_("Why"), row.get_ended_because_display()),
        )
