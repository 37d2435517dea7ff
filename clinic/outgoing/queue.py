"""Queues a message in the transaction of its event, and cancels it in the one after which it is not true."""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from django.db import models, transaction
from django.db.models import Case, Max, Value, When
from django.db.models.functions import Now
from django.utils import timezone

from clinic.outgoing.events import EVENTS
from clinic.outgoing.models import OutgoingMessage
from clinic.outgoing.recipients import Recipient

Status = OutgoingMessage.Status
# A failed message can be cancelled too, because somebody could try it again.
CANCELLABLE = (Status.QUEUED, Status.SENDING, Status.FAILED)


def queue(
    event: str,
    about: str,
    *,
    to: Iterable[Recipient],
    version: int | None = None,
    case: UUID | None = None,
    base: str = "",
    at: datetime | None = None,
) -> int:
    """Queue one message to each recipient, and return how many are new. They are sent after the commit.

    about: the object, as "procedure:<id>". version: counts the events of this kind about the object. The same
    version again queues nothing; a newer one cancels older messages to the same recipients that still wait.
    None: the next version; the caller then holds the lock of the object. case: the case of the object. base:
    the root URL of the site for the user who caused the event. at: when the message is due, by default now.

    Call it before `record`, which locks the end of the log. Errors: TransactionManagementError outside a
    transaction; KeyError if no such event is registered.
    """
    _check_transaction()
    urgent = EVENTS[event].urgent
    messages = OutgoingMessage.objects.filter(event=event, about=about)
    if version is None:
        version = (messages.aggregate(newest=Max("version"))["newest"] or 0) + 1
    people = {recipient.reference: recipient for recipient in to}
    to_same_people = messages.filter(recipient__in=people)
    _cancel(to_same_people.filter(version__lt=version))
    already_queued = set(to_same_people.filter(version__gte=version).values_list("recipient", flat=True))
    now = timezone.now()
    new = [
        OutgoingMessage(
            event=event,
            about=about,
            version=version,
            recipient=person.reference,
            audience=person.audience,
            language=person.language,
            case=case,
            base=base,
            urgent=urgent,
            queued_at=now,
            next_attempt_at=at or now,
        )
        for reference, person in people.items()
        if reference not in already_queued
    ]
    # Another transaction may queue the same message at once: then its row is kept.
    OutgoingMessage.objects.bulk_create(new, ignore_conflicts=True)
    return len(new)


def cancel(about: str, *events: str) -> None:
    """Cancel the messages about an object that still wait: those of `events`, or all.

    A message that is being sent at this moment may arrive; it is not tried a second time. Errors: as `queue`.
    """
    _check_transaction()
    rows = OutgoingMessage.objects.filter(about=about)
    _cancel(rows.filter(event__in=events) if events else rows)


def cancel_events_of(case: UUID, *events: str) -> None:
    """Cancel the messages of these events of a case that still wait. Errors: as `queue`."""
    _check_transaction()
    _cancel(OutgoingMessage.objects.filter(case=case, event__in=events))


def _cancel(rows: "models.QuerySet[OutgoingMessage]") -> None:
    rows.filter(status__in=CANCELLABLE).update(
        # In one statement, because a sender that fails between two of them would queue the message again.
        status=Case(When(status=Status.SENDING, then=Value(Status.SENDING)), default=Value(Status.CANCELLED)),
        reason=OutgoingMessage.Reason.REPLACED,
        cancelled_at=Now(),
        ended_at=Now(),
    )


def _check_transaction() -> None:
    if not transaction.get_connection().in_atomic_block:
        raise transaction.TransactionManagementError(
            "queue and cancel messages inside the transaction of their event"
        )
