"""Exceptions from the limit on nights, as a section of what is held about a patient."""

from collections.abc import Iterator

from django.utils.translation import gettext_lazy as _

from clinic.accounts.models import User
from clinic.personal_data.registry import Record, record, register_section
from patients.repeats.models import RepeatException


@register_section(28, _("Exceptions from our limit on nights"))
def exceptions(person: User) -> Iterator[Record]:
    for row in RepeatException.objects.filter(patient=person).order_by("made_at"):
        yield record(
            _("An exception"),
            (_("When"), row.made_at),
            (_("The doctor's reason"), row.doctor_reason),
            (_("The administrator's reason"), row.administrator_reason),
            (_("Used"), row.used_at),
            (_("Taken back"), row.taken_back_at),
        )
