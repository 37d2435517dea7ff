"""A patient's nights, as a section of what is held about them."""

from collections.abc import Iterator

from django.utils.translation import gettext_lazy as _

from clinic.accounts.models import User
from clinic.personal_data.registry import Record, make_record, register_section
from erasure.procedures.models import Procedure
from erasure.runs.models import SafeWord
from patients.vault.sealed import with_fields


@register_section(70, _("Your nights"))
def nights(person: User) -> Iterator[Record]:
    rows = Procedure.objects.filter(case__patient=person).select_related("case", "booking", "run")
    for row in rows.order_by("booking__starts_at"):
        run = getattr(row, "run", None)
        yield make_record(
            Procedure.Place(row.place).for_patient,
            (_("File"), row.case.reference),
            (_("Begins"), row.booking.starts_at),
            (_("Ends"), row.booking.ends_at),
            (_("State"), row.get_state_display()),
            (_("Erasing began"), run and run.started_at),
            (_("Erasing ended"), run and run.finished_at),
            (_("Outcome"), run and run.get_outcome_display()),
        )


@register_section(71, _("When the safe word was said"))
def safe_words(person: User) -> Iterator[Record]:
    rows = SafeWord.objects.filter(case__patient=person).order_by("said_at")
    for row, fields in with_fields(rows):
        yield make_record(
            _("A safe word"),
            (_("When"), row.said_at),
            (_("Lifted"), row.lifted_at),
            (_("What you said to the doctor"), fields.words),
        )
