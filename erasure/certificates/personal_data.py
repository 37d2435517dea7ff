"""A patient's certificates, as a section of what is held about them."""

from collections.abc import Iterator
from functools import partial

from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from clinic.accounts.models import User
from clinic.personal_data.registry import HeldFile, Record, make_record, register_section
from erasure.certificates.models import Certificate
from erasure.certificates.pdf import certificate_file


@register_section(72, _("Your certificates"))
def certificates(person: User) -> Iterator[Record]:
    of_person = Q(run__procedure__case__patient=person) | Q(destruction__case__patient=person)
    for row in Certificate.objects.filter(of_person).order_by("issued_at"):
        yield make_record(
            row.number,
            (_("Issued"), row.issued_at),
            files=[HeldFile(".json", partial(_content, row))],
        )


def _content(row: Certificate) -> list[bytes]:
    return [certificate_file(row).encode()]
