"""A section of a person's data export: their spoken safe words, pages for the bed, and taps."""

from collections.abc import Iterator

from django.utils.translation import gettext_lazy as _

from clinic.accounts.models import User
from clinic.personal_data.registry import Record, make_record, register_section
from erasure.bedside.models import BedTap, BedToken, SpokenWord
from patients.vault.sealed import with_fields


@register_section(73, _("At the bed"))
def at_the_bed(person: User) -> Iterator[Record]:
    """Yield a record for each spoken safe word, token and tap of `person`."""
    words = SpokenWord.objects.filter(case__patient=person).order_by("set_at")
    for row, fields in with_fields(words):
        yield make_record(_("A word to say aloud"), (_("Chosen"), row.set_at), (_("Word"), fields.word))
    for token in BedToken.objects.filter(user=person):
        yield make_record(
            _("A page for the bed"),
            (_("Opened"), token.opened_at),
            (_("Closed"), token.ended_at),
            (_("Why"), token.get_ended_because_display()),
        )
    for tap in BedTap.objects.filter(tapped_by=person):
        yield make_record(
            _("A tap on the safe word"),
            (_("By your device"), tap.tapped_at),
            (_("Arrived"), tap.arrived_at),
        )
