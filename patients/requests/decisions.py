"""Stores a visitor's request for an appointment, and the front desk's decision on it."""

from contextlib import suppress
from uuid import UUID

from django.db import IntegrityError, transaction
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from clinic.accounts.models import Invitation, Role, User
from clinic.audit.record import Act, actor_of, record
from clinic.mail import send
from clinic.people.invitations import invite
from patients.requests.models import AppointmentRequest, RequestFields
from patients.vault.configured import key_store
from patients.vault.keys import KeyExists, KeyGone

Request = AppointmentRequest


class CannotDecide(Exception):
    """The request cannot be decided now; the message says why."""


def create_request(
    *, ticket: UUID, name: str, email: str, phone: str, message: str, language: str, by: User | None = None
) -> Request:
    """Store a visitor's request and return it. A repeated call with the same ticket returns the same request.

    ticket: must come from `read_ticket`; it becomes the request's id. by: the receptionist who fills in the
    form for a caller. Errors: KeyGone if the request of this ticket was destroyed.
    """
    existing = Request.objects.filter(pk=ticket).first()
    if existing:
        return existing
    # A key without a row was created by a concurrent copy of this POST, or left behind by a crash.
    with suppress(KeyExists):
        key_store().create(ticket)
    row = Request(pk=ticket, name=name, email=email, phone=phone, language=language)
    row.write(RequestFields(message=message))
    try:
        with transaction.atomic():
            row.save(force_insert=True)
            actor = actor_of(by) if by else "visitor"
            record(Act("request.made", f"request:{row.pk}", actor=actor))
    except IntegrityError:
        return Request.objects.get(pk=ticket)
    return row


@transaction.atomic
def decide(request: Request, decision: str, *, reason: str, by: User, base: str) -> Request:
    """Accept (and invite), hold or decline a request; mail the answer after the commit.

    decision: "accept", "hold" or "decline". reason: shown to the visitor. base: the server's base URL, for
    the link. Errors: CannotDecide. Unsent, at the commit: the decision is saved, but the mail was not sent.
    """
    row = Request.objects.select_for_update(of=("self",)).get(pk=request.pk)
    if row.state in {Request.State.ACCEPTED, Request.State.DECLINED}:
        raise CannotDecide(_("This request has been decided already."))
    with suppress(KeyGone):  # its message was destroyed already; only the state is saved
        row.write(RequestFields(message=row.read().message, decision=reason))
    row.decided_by, row.decided_at = by, timezone.now()
    if decision == "accept":
        row.state = Request.State.ACCEPTED
        row.invitation = invite(row.email, row.name, Role.PATIENT, by=by, base=base, language=row.language)
    else:
        row.state = Request.State.HELD if decision == "hold" else Request.State.DECLINED
        transaction.on_commit(lambda: _mail_answer(row, reason))
    row.save(update_fields=["state", "sealed", "decided_by", "decided_at", "invitation"])
    record(Act(f"request.{row.state}", f"request:{row.pk}", actor=actor_of(by)))
    return row


@transaction.atomic
def invite_again(request: Request, *, by: User, base: str) -> Request:
    """Mail a new invitation to an accepted visitor who has not used theirs; the old link expires.

    Errors: CannotDecide. Unsent, at the commit: the old link has expired, but the new one was not mailed.
    """
    row = Request.objects.select_for_update(of=("self",)).select_related("invitation").get(pk=request.pk)
    old = row.invitation
    expired = old and Invitation.objects.filter(pk=old.pk, used_at__isnull=True).update(
        expires_at=timezone.now()
    )
    if not expired:
        raise CannotDecide(_("This invitation has been accepted already."))
    row.invitation = invite(row.email, row.name, Role.PATIENT, by=by, base=base, language=row.language)
    row.save(update_fields=["invitation"])
    return row


def _mail_answer(row: Request, reason: str) -> None:
    with translation.override(row.language):
        on_hold = row.state == Request.State.HELD
        subject = _("Your request to Lacuna")
        first = (
            _("Thank you for writing. We need a little more time, and will write to you again.")
            if on_hold
            else _("Thank you for writing. We are sorry that we cannot offer you an appointment.")
        )
        send(subject, "\n\n".join(filter(None, [first, reason])), row.email)
