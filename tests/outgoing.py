"""Queued mail in tests: deliver it as the supervisor does, and let time pass."""

from datetime import timedelta

from django.db.models import F
from django.utils import timezone

from clinic.outgoing.delivery import deliver_due
from clinic.outgoing.models import OutgoingMessage


def deliver() -> int:
    """Send what is due. Return how many messages were sent."""
    return deliver_due()


def pass_time(wait: timedelta) -> None:
    """Let `wait` pass for all messages, and for the senders that have claimed one."""
    OutgoingMessage.objects.update(
        next_attempt_at=F("next_attempt_at") - wait,
        queued_at=F("queued_at") - wait,
        taken_until=F("taken_until") - wait,
    )


def due_now() -> None:
    """Let so much time pass that every queued message is due, also those for a later day."""
    OutgoingMessage.objects.filter(status="queued").update(
        next_attempt_at=timezone.now() - timedelta(minutes=1)
    )


def queued() -> list[str]:
    """The events of the messages that wait, in the order in which they were queued."""
    rows = OutgoingMessage.objects.filter(status="queued").order_by("queued_at", "next_attempt_at", "event")
    return list(rows.values_list("event", flat=True))
