"""Uploads that are not finished, as a section of what is held about a patient."""

from collections.abc import Iterator

from django.utils.translation import gettext_lazy as _

from clinic.accounts.models import User
from clinic.personal_data.registry import Record, make_record, register_section
from patients.keepsakes.models import Upload
from patients.vault.sealed import with_fields


@register_section(50, _("Files that have not arrived whole"))
def uploads(person: User) -> Iterator[Record]:
    rows = Upload.objects.filter(case__patient=person, keepsake=None).order_by("created_at")
    for row, fields in with_fields(rows):
        yield make_record(
            fields.filename or _("A file"),
            (_("Begun"), row.created_at),
            (_("Bytes that arrived"), row.offset),
        )
