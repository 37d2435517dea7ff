"""What a patient typed and did not send: a section of what is held about them. It ends with the account."""

from collections.abc import Iterator

from django.utils.translation import gettext_lazy as _

from clinic.accounts.models import User
from clinic.personal_data.forgetting import register_forgetter
from clinic.personal_data.registry import Record, make_record, register_section
from patients.drafts.models import Draft
from patients.drafts.writing import end_drafts
from patients.vault.keys import KeyGone
from patients.vault.stream import Tampered


@register_section(66, _("What you typed and have not sent yet"))
def drafts(person: User) -> Iterator[Record]:
    for row in Draft.objects.live().filter(person=person).order_by("saved_at"):
        try:
            values = row.read().values
        except (KeyGone, Tampered):
            continue
        yield make_record(
            _("A draft"),
            (_("Saved"), row.saved_at),
            *((_("Words"), text) for texts in values.values() for text in texts if text),
        )


@register_forgetter
def forget_drafts(person: User) -> None:
    end_drafts(Draft.objects.filter(person=person))
