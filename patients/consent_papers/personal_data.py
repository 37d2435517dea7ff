"""What a patient has signed, with its papers, as a section of what is held about them."""

from collections.abc import Iterator

from django.utils.translation import gettext_lazy as _

from clinic.accounts.models import User
from clinic.personal_data.registry import HeldFile, Record, make_record, register_section
from patients.consent.models import Signature
from patients.vault.keys import KeyGone
from patients.vault.stream import Tampered


@register_section(30, _("What you signed"))
def signatures(person: User) -> Iterator[Record]:
    rows = Signature.objects.filter(case__patient=person).select_related("text", "paper", "case")
    for row in rows.order_by("signed_at"):
        yield make_record(
            _("Consent to %(what)s") % {"what": row.text.get_kind_display()},
            (_("File"), row.case.reference),
            (_("Signed"), row.signed_at),
            (_("Withdrawn"), row.withdrawn_at),
            (_("Replaced by a later one"), row.superseded_at),
            (_("The text"), row.text.body),
            files=_papers(row),
        )


def _papers(signature: Signature) -> list[HeldFile]:
    """Return the paper as a file; none if there is none, or it cannot be opened any more."""
    if not hasattr(signature, "paper"):
        return []
    try:
        pdf = signature.paper.read()
    except (KeyGone, Tampered):
        return []
    return [HeldFile(".pdf", lambda: [pdf])]
