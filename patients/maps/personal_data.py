"""The maps of a patient that were locked, as a section of what is held about them."""

from collections.abc import Iterator

from django.utils.translation import gettext_lazy as _

from clinic.accounts.models import User
from clinic.personal_data.registry import Record, make_record, register_section
from patients.memories.models import LockedMap


@register_section(42, _("Your maps"))
def maps(person: User) -> Iterator[Record]:
    """Return when each map was locked and opened. A map has no words of its own."""
    for row in LockedMap.objects.filter(case__patient=person).select_related("case").order_by("locked_at"):
        yield make_record(
            _("Map %(number)d") % {"number": row.version},
            (_("File"), row.case.reference),
            (_("Locked"), row.locked_at),
            (_("Opened again"), row.unlocked_at),
        )
