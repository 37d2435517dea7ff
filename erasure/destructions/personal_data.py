"""What a patient had destroyed outside a night, as a section of what is held about them."""

from collections.abc import Iterator

from django.utils.translation import gettext_lazy as _

from clinic.accounts.models import User
from clinic.personal_data.registry import Record, make_record, register_section
from erasure.destructions.models import Destruction


@register_section(74, _("What was destroyed outside a night"))
def destructions(person: User) -> Iterator[Record]:
    for row in Destruction.objects.filter(case__patient=person).select_related("case").order_by("asked_at"):
        yield make_record(
            _("A destruction"),
            (_("File"), row.case.reference),
            (_("Asked"), row.asked_at),
            (_("State"), row.get_state_display()),
            (_("Outcome"), row.get_outcome_display()),
            (_("Ended"), row.finished_at),
        )
