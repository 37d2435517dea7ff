"""What a patient decided about memories left partly erased, as a section of what is held about them."""

from collections.abc import Iterator

from django.utils.translation import gettext_lazy as _

from clinic.accounts.models import User
from clinic.personal_data.registry import Record, make_record, register_section
from erasure.runs.models import Remainder


@register_section(76, _("What a stopped night left"))
def remainders(person: User) -> Iterator[Record]:
    rows = Remainder.objects.filter(step__memory__case__patient=person).select_related("step__memory")
    for row in rows.order_by("step__done_at", "pk"):
        yield make_record(
            _("Memory %(number)s") % {"number": row.step.memory.number or ""},
            (_("Decided"), row.decided_at),
            (_("Given back"), row.given_at),
            (_("What you decided"), row.get_state_display()),
        )
