"""The notes of the staff on a patient's files, as a section of what is held about them."""

from collections.abc import Iterator

from django.utils.translation import gettext_lazy as _

from clinic.accounts.models import User
from clinic.personal_data.registry import Record, make_record, register_section
from patients.notes.models import CaseNote
from patients.vault.sealed import with_fields


@register_section(26, _("What we noted"))
def notes(person: User) -> Iterator[Record]:
    rows = CaseNote.objects.filter(case__patient=person).select_related("written_by").order_by("written_at")
    for row, fields in with_fields(rows):
        yield make_record(
            _("A note"),
            (_("When"), row.written_at),
            (_("By"), row.written_by.name),
            (_("Words"), fields.words),
            (_("Struck out"), row.struck_at),
            (_("Why"), fields.reason),
        )
