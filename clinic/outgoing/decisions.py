"""Decisions of staff on a message that could not be delivered: try it again, or give it up."""

from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from clinic.accounts.models import User
from clinic.audit.record import Act, actor_of, record
from clinic.edits.seen import is_seen
from clinic.outgoing.lists import shown_state
from clinic.outgoing.models import OutgoingMessage

Status = OutgoingMessage.Status


class Changed(Exception):
    """The message is not in the state that the page showed. The text is a sentence for the user."""


@transaction.atomic
def try_again(rows: "QuerySet[OutgoingMessage]", pk: UUID, *, seen: str, by: User) -> OutgoingMessage:
    """Queue a failed message again, with all its attempts.

    rows: those that `by` may see. seen: the `message_mark` on the page. Errors: Changed, and
    OutgoingMessage.DoesNotExist.
    """
    message = _locked(rows, pk, seen)
    if message.status != Status.FAILED:
        raise Changed(_("This message did not fail, so it is not tried again."))
    OutgoingMessage.objects.filter(pk=pk).update(
        status=Status.QUEUED, attempts=0, next_attempt_at=timezone.now(), ended_at=None
    )
    _record("mail.tried-again", message, by)
    return message


@transaction.atomic
def give_up(rows: "QuerySet[OutgoingMessage]", pk: UUID, *, seen: str, by: User) -> OutgoingMessage:
    """Cancel a message that failed or waits. Arguments and errors: as `try_again`."""
    message = _locked(rows, pk, seen)
    if message.status not in {Status.FAILED, Status.QUEUED}:
        raise Changed(_("This message is being sent, or was sent, so it cannot be given up."))
    now = timezone.now()
    OutgoingMessage.objects.filter(pk=pk).update(
        status=Status.CANCELLED, reason=OutgoingMessage.Reason.GIVEN_UP, cancelled_at=now, ended_at=now
    )
    _record("mail.given-up", message, by)
    return message


def _locked(rows: "QuerySet[OutgoingMessage]", pk: UUID, seen: str) -> OutgoingMessage:
    message = rows.select_for_update(of=("self",)).get(pk=pk)
    if not is_seen(seen, f"message:{pk}", *shown_state(message)):
        raise Changed(
            _("This message was tried or decided while your page was open. It is shown now as it is.")
        )
    return message


def _record(action: str, message: OutgoingMessage, by: User) -> None:
    details = {"event": message.event}
    record(Act(action, f"message:{message.pk}", actor=actor_of(by), case=message.case, details=details))
