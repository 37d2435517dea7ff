"""A patient's things that were left with the clinic, as a section of what is held about them."""

from collections.abc import Iterator

from django.utils.translation import gettext_lazy as _

from clinic.accounts.models import User
from clinic.personal_data.registry import Record, make_record, register_section
from patients.custody.models import Custody


@register_section(52, _("Things that you left with us"))
def things(person: User) -> Iterator[Record]:
    rows = Custody.objects.filter(keepsake__case__patient=person).select_related("keepsake")
    for row in rows.order_by("received_at"):
        yield make_record(
            row.tag,
            (_("Received"), row.received_at),
            (_("State"), row.get_state_display()),
            (_("Shelf"), row.shelf),
            (_("Ended"), row.witnessed_at),
        )
