"""Lists of messages: those that failed or wait, as far as a user may see them, and those to a patient."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import F, Q, QuerySet
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _

from clinic.access.relations import hidden_cases
from clinic.accounts.models import Role, User
from clinic.edits.seen import seen_mark
from clinic.http.keyset import Count, Page, Start, page_of, read_start, take
from clinic.mail import waits_for_server
from clinic.outgoing.events import event_title
from clinic.outgoing.models import OutgoingMessage
from clinic.outgoing.recipients import Person, file_numbers, people_of

Status = OutgoingMessage.Status
LATE_AFTER = timedelta(minutes=15)  # a message that was due this long ago should have been tried
# To count one message, the name of its case's subject is decrypted, as to count a file.
MAX_COUNTED = 200
MAX_SENT = 30  # messages to one patient that a page lists


@dataclass(frozen=True)
class Line:
    """One message in a list. to: its recipient, without the name if the reader may not know it.

    why: the last failure. seen: the `message_mark`.
    """

    id: UUID
    title: str | Promise
    to: str
    why: str
    outcome: str
    at: datetime
    attempts: int
    seen: str


def visible_to(user: User, roles: Iterable[str]) -> "QuerySet[OutgoingMessage]":
    """Return the messages that `user` may see with `roles`: an administrator all, others those to patients.

    Those of a case in which they are the patient or the subject are among them: `shown_of` leaves them out.
    """
    rows = OutgoingMessage.objects.exclude(recipient=f"user:{user.pk}", audience="patient")
    return rows if Role.ADMINISTRATOR in roles else rows.filter(audience=OutgoingMessage.Audience.PATIENT)


def shown_of(user: User, messages: Iterable[OutgoingMessage]) -> list[OutgoingMessage]:
    """Return `messages` without those of a case in which `user` is the patient or the subject."""
    rows = list(messages)
    hidden = hidden_cases(user, (row.case for row in rows))
    return [row for row in rows if row.case not in hidden]


def _fetch(
    user: User, rows: "QuerySet[OutgoingMessage]", field: str, *, newest_first: bool
) -> Callable[[Start | None, int], list[OutgoingMessage]]:
    """Return a function that reads the messages of `rows` that `user` may see, in the order of `field`."""

    def fetch(start: Start | None, most: int) -> list[OutgoingMessage]:
        found: list[OutgoingMessage] = []
        while len(found) < most:
            wanted = most - len(found)
            part = take([rows], field, start, wanted, newest_first=newest_first)
            found += shown_of(user, part)
            if len(part) < wanted:
                break
            start = Start(getattr(part[-1], field), part[-1].pk, bool(start and start.backwards))
        return found

    return fetch


def failed_page(query: Mapping[str, str], user: User, roles: Iterable[str]) -> Page[OutgoingMessage]:
    """Return one page of the messages that failed for good, the newest first."""
    rows = failed(visible_to(user, roles))
    start = read_start(query, OutgoingMessage.objects.filter(ended_at__isnull=False), "ended_at")
    return page_of(_fetch(user, rows, "ended_at", newest_first=True), start)


def waiting_first(user: User, roles: Iterable[str], most: int) -> tuple[list[OutgoingMessage], Count]:
    """Return the oldest `most` messages that wait, and how many wait, counted up to MAX_COUNTED."""
    rows = waiting(visible_to(user, roles))
    found = _fetch(user, rows, "queued_at", newest_first=False)(None, MAX_COUNTED + 1)
    return found[:most], Count(min(len(found), MAX_COUNTED), len(found) > MAX_COUNTED)


def failed(rows: "QuerySet[OutgoingMessage]") -> "QuerySet[OutgoingMessage]":
    """Return the messages that are not tried again, the newest first."""
    return rows.filter(status=Status.FAILED).order_by("-ended_at", "pk")


def waiting(rows: "QuerySet[OutgoingMessage]") -> "QuerySet[OutgoingMessage]":
    """Return the messages that are due or were tried, the oldest first; not those for a later time."""
    tried = Q(attempts__gt=0) | Q(next_attempt_at__lte=timezone.now())
    return rows.filter(tried, status__in=[Status.QUEUED, Status.SENDING]).order_by("queued_at", "pk")


def late() -> "QuerySet[OutgoingMessage]":
    """Return the messages that wait too long: they were tried twice, or are LATE_AFTER without a try."""
    untried = Q(attempts=0, next_attempt_at__lt=timezone.now() - LATE_AFTER)
    return OutgoingMessage.objects.filter(
        Q(attempts__gt=1) | untried, status__in=[Status.QUEUED, Status.SENDING]
    )


def message_mark(message: OutgoingMessage) -> str:
    """Return the `seen_mark` of a message, for a list with buttons that decide on it."""
    return seen_mark(f"message:{message.pk}", *shown_state(message))


def shown_state(message: OutgoingMessage) -> list[object]:
    """Return the state that the page must have shown. If it has changed since, the buttons are refused."""
    return [message.status, message.attempts]


def lines(messages: Iterable[OutgoingMessage], *, names: bool) -> list[Line]:
    """Return a line for each message. names: whether the reader may know the names of patients."""
    rows = list(messages)
    people = people_of(row.recipient for row in rows)
    numbers = file_numbers({row.case for row in rows if row.case})
    return [
        Line(
            id=row.pk,
            title=event_title(row.event),
            to=_recipient(row, people.get(row.recipient), numbers, names=names),
            why=reason_words(row),
            outcome=row.get_status_display(),
            at=row.ended_at or row.queued_at,
            attempts=row.attempts,
            seen=message_mark(row),
        )
        for row in rows
    ]


def _recipient(row: OutgoingMessage, person: Person | None, numbers: dict[UUID, str], *, names: bool) -> str:
    if person is None:
        return _("somebody who has no account any more")
    if names or row.audience == OutgoingMessage.Audience.STAFF:
        return f"{person.name}, {person.address}"
    if row.case in numbers:
        return _("the patient of file %(file)s") % {"file": numbers[row.case]}
    return _("the visitor with the number %(number)s") % {"number": person.number or "?"}


def reason_words(row: OutgoingMessage) -> str:
    """Return why the last attempt failed, with the mail server's code; "" if none did."""
    words = row.get_reason_display()
    if row.reply_code:
        return f"{words} {_('It answered %(code)d.') % {'code': row.reply_code}}"
    return words


def sent_to_patient(case: UUID) -> "list[OutgoingMessage]":
    """Return the messages to the patient of a case, the newest first.

    Left out are those for a later time, and those that were cancelled before their time.
    """
    rows = OutgoingMessage.objects.filter(case=case, audience=OutgoingMessage.Audience.PATIENT)
    not_due = Q(status=Status.QUEUED, attempts=0, next_attempt_at__gt=timezone.now())
    never_due = Q(status=Status.CANCELLED, attempts=0, next_attempt_at__gt=F("cancelled_at"))
    return list(
        rows.exclude(not_due).exclude(never_due).order_by("-queued_at", "-next_attempt_at", "pk")[:MAX_SENT]
    )


def when_it_leaves() -> str:
    """Return a sentence on when a message that was just queued will be sent."""
    if waits_for_server():
        return _("No mail server is set, so it waits here.")
    if late().exists():
        return _("Mail is held up at the moment. It is tried again by itself.")
    return _("It leaves in a moment.")
