"""A patient's requests for an appointment, as a section. Closing the account empties them."""

from collections.abc import Iterator

from django.utils.translation import gettext_lazy as _

from clinic.accounts.models import User
from clinic.personal_data.forgetting import register_forgetter
from clinic.personal_data.registry import Record, make_record, register_section
from patients.requests.models import AppointmentRequest, RequestFields, RequestWord
from patients.vault.sealed import read_many


@register_section(14, _("Your request"))
def requests(person: User) -> Iterator[Record]:
    """Return the requests that led to the account. A request that led to none can be given to nobody."""
    rows = list(AppointmentRequest.objects.filter(invitation__used_by=person).order_by("created_at"))
    words = read_many(rows, skip_damaged=True)
    for row in rows:
        fields = words.get(row.pk, RequestFields())
        yield make_record(
            row.name,
            (_("E-mail address"), row.email),
            (_("Telephone"), row.phone),
            (_("Asked"), row.created_at),
            (_("What you wrote"), fields.message),
            (_("State"), row.get_state_display()),
            (_("Decided"), row.decided_at),
            (_("What we answered"), fields.decision),
        )


@register_forgetter
def forget_requests(person: User) -> None:
    """Empty the person's requests. The rows stay, because reports count them.

    The key of a row in which nothing is sealed counts as unused, so the sweep destroys it
    (erasure/operations/supervisor_loop.py).
    """
    rows = AppointmentRequest.objects.filter(invitation__used_by=person)
    RequestWord.objects.filter(request__in=rows.values("pk")).delete()
    rows.update(name="—", email=f"{person.pk}@closed.invalid", phone="", sealed=b"")
