"""The mails to visitors who ask for an appointment."""

from collections.abc import Collection
from uuid import UUID

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from clinic.accounts.models import Role, User
from clinic.configuration.configuration import NAME
from clinic.configuration.values import value_of
from clinic.outgoing.events import Letter, MailEvent, MessageOutdated, register_events
from clinic.outgoing.models import OutgoingMessage
from clinic.outgoing.recipients import Person, register_recipients
from clinic.people.mails import invitation_letter
from patients.cases.models import Case
from patients.contacts.changes import contact_of, write_contact
from patients.requests.models import AppointmentRequest
from patients.requests.numbers import request_number
from patients.vault.keys import KeyGone


def _request(message: OutgoingMessage) -> AppointmentRequest:
    return AppointmentRequest.objects.get(pk=message.about_id)


def _reason(row: AppointmentRequest) -> str:
    """Return the reason that the front desk gave the visitor; "" if none, or if its key is destroyed."""
    try:
        reason: str = row.read().decision
    except KeyGone:
        return ""
    return reason


def _number_words(row: AppointmentRequest) -> str:
    return _("The number of your request is %(number)s.") % {"number": request_number(row.pk)}


def _subject() -> str:
    return _("Your request to %(clinic)s") % {"clinic": value_of(NAME)}


def received(message: OutgoingMessage) -> Letter:
    """Say that the request arrived, with its number."""
    row = _request(message)
    return Letter(
        _subject(),
        [
            _("Thank you for writing. We have your request, and somebody at the front desk reads it."),
            f"{_number_words(row)} {_('Please name it if you call us about it.')}",
        ],
    )


def accepted(message: OutgoingMessage) -> Letter:
    """Invite the visitor, with the reason of the front desk. Errors: MessageOutdated, LookupError."""
    row = AppointmentRequest.objects.filter(invitation_id=UUID(message.about_id)).first()
    if row is None:
        raise MessageOutdated
    return invitation_letter(message, _reason(row))


def held(message: OutgoingMessage) -> Letter:
    """Say that the answer takes more time. Errors: MessageOutdated if the request is decided by now."""
    row = _request(message)
    if row.state != AppointmentRequest.State.HELD:
        raise MessageOutdated
    first = _("Thank you for writing. We need a little more time, and will write to you again.")
    return Letter(_subject(), [first, _reason(row), _number_words(row)])


def declined(message: OutgoingMessage) -> Letter:
    """Decline the request, with the reason of the front desk."""
    row = _request(message)
    first = _("Thank you for writing. We are sorry that we cannot offer you an appointment.")
    return Letter(_subject(), [first, _reason(row), _number_words(row)])


def _visitors(ids: Collection[str]) -> dict[str, Person]:
    """Return by id of the request to whom its mails go."""
    rows = AppointmentRequest.objects.filter(pk__in=ids).only("pk", "name", "email")
    return {str(row.pk): Person(row.name, row.email, request_number(row.pk)) for row in rows}


def add_messages_to_file(user: User, role: str) -> None:
    """Add the messages that were sent to a visitor to the file that is open for them now.

    clinic/people/invitations.py calls this when an invitation is accepted, after the file was opened.
    """
    case = Case.objects.current().filter(patient=user).first() if role == Role.PATIENT else None
    if case is None:
        return
    invited = AppointmentRequest.objects.filter(invitation__used_by=user)
    recipients = []
    for request_id, invitation_id in invited.values_list("pk", "invitation_id"):
        recipients += [f"request:{request_id}", f"invitation:{invitation_id}"]
    OutgoingMessage.objects.filter(recipient__in=recipients, case__isnull=True).update(case=case.pk)


def copy_phone_to_contact(user: User, role: str) -> None:
    """Write down the telephone number of an accepted visitor as that of the patient, if there is none yet.

    clinic/people/invitations.py calls this when an invitation is accepted.
    """
    invited = (
        AppointmentRequest.objects.filter(invitation__used_by=user)
        .exclude(phone="")
        .order_by("-created_at")
        .first()
    )
    if role == Role.PATIENT and invited and not contact_of(user)["phone"]:
        contact = contact_of(user)
        write_contact(user, phone=invited.phone, address=contact["address"], way=contact["way"])


register_recipients("request", _visitors)
register_events(
    request_received=MailEvent(gettext_lazy("Request received"), received),
    request_accepted=MailEvent(gettext_lazy("Request accepted, with the invitation"), accepted),
    request_held=MailEvent(gettext_lazy("Request held"), held),
    request_declined=MailEvent(gettext_lazy("Request declined"), declined),
)
