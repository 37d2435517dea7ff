"""Hands queued messages to the mail server. Any number of supervisors may do so at once.

A sender claims a message by a conditional update, writes it, sends it, and marks it as sent. If the server
does not take it, it is tried again later. So each message is sent once, with two exceptions: a sender may
crash between the server's answer and the commit, or may need longer than its claim lasts while it talks to
the server. Then the message is sent again, with the same Message-ID, by which mail programs recognize it.
"""

import logging
import ssl
import time
import uuid
from datetime import timedelta
from email.utils import parseaddr
from smtplib import (
    SMTPAuthenticationError,
    SMTPDataError,
    SMTPException,
    SMTPNotSupportedError,
    SMTPRecipientsRefused,
    SMTPSenderRefused,
)

from django.conf import settings
from django.core.mail import EmailMessage
from django.db import DatabaseError, transaction
from django.db.models import DateTimeField, ExpressionWrapper, F, Q, QuerySet
from django.db.models.functions import Now

from clinic.failpoints import hit
from clinic.mail import waits_for_server
from clinic.outgoing.events import EVENTS, MessageOutdated, Written, write
from clinic.outgoing.models import OutgoingMessage

log = logging.getLogger("lacuna.mail")

Status, Reason = OutgoingMessage.Status, OutgoingMessage.Reason
# The wait after the first, second, ... failed attempt. After one attempt more the message has failed.
RETRIES = [timedelta(minutes=n) for n in (1, 5, 30, 2 * 60, 6 * 60, 24 * 60)]
# After this many seconds another sender may claim a message. The mail server may take 5 s for each of its
# replies, of which there are about ten.
CLAIM_SECONDS = 120.0
# A sender that has needed this long since its claim does not begin to send.
LATEST_START_SECONDS = 30.0
MAX_PER_CALL = 50  # messages that `deliver_due` sends


def _now_plus(wait: timedelta) -> ExpressionWrapper:
    """Return the database's present time plus `wait`."""
    return ExpressionWrapper(Now() + wait, output_field=DateTimeField())


def due() -> "QuerySet[OutgoingMessage]":
    """Return the messages that a sender may claim, the urgent ones first."""
    waiting = Q(status=Status.QUEUED, next_attempt_at__lte=Now())
    abandoned = Q(status=Status.SENDING, taken_until__lt=Now())
    rows = OutgoingMessage.objects.filter(waiting | abandoned, cancelled_at__isnull=True)
    return rows.order_by("-urgent", "next_attempt_at", "queued_at", "pk")


def deliver_due() -> int:
    """Send the messages that are due; return how many were sent.

    If the mail server does not answer, the others are left for the next call. Without a mail server in the
    settings nothing is sent: the mail would only move to another table. Errors: django.db.Error.
    """
    if waits_for_server():
        return 0
    # Messages that were cancelled while they were being sent, and whose sender crashed.
    orphaned = OutgoingMessage.objects.filter(
        status=Status.SENDING, taken_until__lt=Now(), cancelled_at__isnull=False
    )
    if orphaned.exists():  # asked first, because an update locks SQLite even if it changes no row
        orphaned.update(status=Status.CANCELLED)
    sent = 0
    for pk in list(due().values_list("pk", flat=True)[:MAX_PER_CALL]):
        outcome = deliver(pk)
        sent += outcome is None
        if outcome == Reason.UNREACHABLE:
            break
    return sent


def deliver(pk: uuid.UUID) -> str | None:
    """Claim and send one message. Return None if it was sent, else why not ("" if it was not due)."""
    claim = uuid.uuid4()
    claimable = due().order_by().filter(pk=pk)
    if (
        claimable.update(
            status=Status.SENDING, claim=claim, taken_until=_now_plus(timedelta(seconds=CLAIM_SECONDS)),
            attempts=F("attempts") + 1,
        ) != 1
    ):  # fmt: skip
        return ""
    began, message = time.monotonic(), OutgoingMessage.objects.get(pk=pk)
    hit("mail-claimed")
    try:
        written = write(message)
    except MessageOutdated:
        _end(message, Status.CANCELLED, Reason.UNTRUE)
        return Reason.UNTRUE
    except DatabaseError:
        raise
    except Exception:  # one message that cannot be written must not hold up the others
        log.exception("message %s (%s) could not be written", message.pk, message.event)
        return _fail(message, Reason.FAULT, None)
    still_mine = OutgoingMessage.objects.filter(pk=pk, claim=claim, cancelled_at__isnull=True)
    if not still_mine.exists():  # it was cancelled while it was written
        OutgoingMessage.objects.filter(pk=pk, claim=claim).update(status=Status.CANCELLED)
        return Reason.REPLACED
    if time.monotonic() - began > LATEST_START_SECONDS:
        return ""  # another sender claims it after CLAIM_SECONDS
    try:
        mail_of(message, written).send()
    except (SMTPException, OSError) as error:
        reason, code, for_good = refusal(error)
        log.warning("message %s (%s) was not sent: %s", message.pk, message.event, type(error).__name__)
        return _fail(message, reason, code, for_good=for_good)
    except DatabaseError:
        raise
    except Exception:  # such as an address that cannot be encoded
        log.exception("message %s (%s) could not be sent", message.pk, message.event)
        return _fail(message, Reason.FAULT, None)
    hit("mail-sent")
    _end(message, Status.SENT, "")
    return None


def mail_of(message: OutgoingMessage, written: Written) -> EmailMessage:
    """Return the mail, with a Message-ID that is the same at every attempt."""
    domain = parseaddr(settings.DEFAULT_FROM_EMAIL)[1].rpartition("@")[2] or "localhost"
    headers = {"Message-ID": f"<{message.pk}@{domain}>", "Auto-Submitted": "auto-generated"}
    return EmailMessage(written.subject, written.body, None, [written.address], headers=headers)


def refusal(error: Exception) -> tuple[str, int | None, bool]:
    """Return the reason of a failure, the server's reply code, and whether another attempt is useless."""
    if isinstance(error, SMTPRecipientsRefused):
        codes = [code for code, _text in error.recipients.values()]
        return _by_code(codes[0] if codes else 0, Reason.ADDRESS)
    if isinstance(error, SMTPDataError):
        return _by_code(error.smtp_code, Reason.CONTENT)
    if isinstance(error, SMTPSenderRefused):
        return Reason.SENDER, error.smtp_code, False
    if isinstance(error, SMTPAuthenticationError):
        return Reason.LOGIN, error.smtp_code, False
    if isinstance(error, SMTPNotSupportedError):
        return Reason.SECURITY, None, False
    if isinstance(error, ssl.SSLError):
        return Reason.CERTIFICATE, None, False
    return Reason.UNREACHABLE, None, False


def _by_code(code: int, reason: str) -> tuple[str, int | None, bool]:
    """Return what `refusal` returns. A reply code from 500 on is final (RFC 5321, 4.2.1)."""
    return (reason, code, True) if code >= 500 else (Reason.LATER, code or None, False)


def _fail(message: OutgoingMessage, reason: str, code: int | None, *, for_good: bool = False) -> str:
    """Queue a message for its next attempt, or end it if it was cancelled or has no attempts left.

    Return `reason`. for_good: there is no further attempt.
    """
    mine = OutgoingMessage.objects.filter(pk=message.pk, claim=message.claim, status=Status.SENDING)
    if for_good or message.attempts > len(RETRIES):
        changes = {"status": Status.FAILED, "ended_at": Now()}
    else:
        changes = {"status": Status.QUEUED, "next_attempt_at": _now_plus(RETRIES[message.attempts - 1])}
    mine.filter(cancelled_at__isnull=True).update(
        **changes, reason=reason, reply_code=code, claim=None, taken_until=None
    )
    # In this order: if it is cancelled between the two statements, it is queued already, so `cancel` ends it.
    mine.filter(cancelled_at__isnull=False).update(status=Status.CANCELLED)
    return reason


@transaction.atomic
def _end(message: OutgoingMessage, status: str, reason: str) -> None:
    mine = OutgoingMessage.objects.filter(pk=message.pk, claim=message.claim, status=Status.SENDING)
    ended = mine.update(
        status=status, reason=reason, reply_code=None, ended_at=Now(), claim=None, taken_until=None
    )
    if ended and status == Status.SENT:
        EVENTS[message.event].sent(message)
