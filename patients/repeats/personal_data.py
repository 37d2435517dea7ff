"""Exceptions from the limit on nights, as a section. Closing the account empties their reasons."""

from collections.abc import Iterator

from django.utils.translation import gettext_lazy as _

from clinic.accounts.models import User
from clinic.personal_data.forgetting import EMPTIED, register_forgetter
from clinic.personal_data.registry import Record, make_record, register_section
from patients.repeats.models import RepeatException


@register_section(28, _("Exceptions from our limit on nights"))
def exceptions(person: User) -> Iterator[Record]:
    for row in RepeatException.objects.filter(patient=person).order_by("made_at"):
        yield make_record(
            _("An exception"),
            (_("When"), row.made_at),
            (_("The doctor's reason"), row.doctor_reason),
            (_("The administrator's reason"), row.administrator_reason),
            (_("Used"), row.used_at),
            (_("Taken back"), row.taken_back_at),
        )


@register_forgetter
def forget_reasons(person: User) -> None:
    """Empty the reasons, which can be about somebody's health. Who agreed, and when, is kept."""
    rows = RepeatException.objects.filter(patient=person)
    rows.exclude(doctor_reason="").update(doctor_reason=EMPTIED)
    rows.exclude(administrator_reason="").update(administrator_reason=EMPTIED)
