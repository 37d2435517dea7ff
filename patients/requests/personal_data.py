"""A patient's requests for an appointment, as a section. Closing the account empties them."""

from collections.abc import Iterator

from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from clinic.accounts.models import User
from clinic.outgoing.queue import cancel
from clinic.personal_data.forgetting import EMPTIED, closed_address, register_forgetter
from clinic.personal_data.registry import Record, make_record, register_section
from patients.requests.models import AppointmentRequest, RequestWord
from patients.vault.sealed import with_fields


@register_section(14, _("Your request"))
def requests(person: User) -> Iterator[Record]:
    """Return the requests that led to the account. A request that led to none can be given to nobody."""
    rows = AppointmentRequest.objects.filter(invitation__used_by=person).order_by("created_at")
    for row, fields in with_fields(rows):
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
    """Empty the person's requests, and all others from their address. The rows stay: reports count them.

    Nobody has proved that the others are the person's, but they name the address. One that still waits is
    declined without a mail: there is nobody left to write to.
    The key of a row in which nothing is sealed counts as unused, so the sweep destroys it
    (erasure/operations/supervisor_loop.py).
    """
    by_address = AppointmentRequest.objects.filter(email__iexact=person.email)
    rows = AppointmentRequest.objects.filter(
        Q(invitation__used_by=person) | Q(pk__in=list(by_address.values_list("pk", flat=True)))
    )
    for waiting in rows.waiting():
        cancel(f"request:{waiting.pk}")
    rows.waiting().update(state=AppointmentRequest.State.DECLINED, decided_at=timezone.now())
    RequestWord.objects.filter(request__in=rows.values("pk")).delete()
    rows.update(name=EMPTIED, email=closed_address(person), phone="", sealed=b"")
