"""A request for an appointment: made by a visitor, decided by the front desk."""

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


class Decided(Exception):
    """Somebody has decided this request already; the message says so."""


def ask(
    *, ticket: UUID, name: str, email: str, phone: str, message: str, language: str, by: User | None = None
) -> Request:
    """Keep a visitor's request. The same `ticket` again returns what it made: nothing is sent twice.

    `ticket` must be the house's own (`tickets.py`): it becomes the request's id. Errors: KeyGone for a ticket
    whose request was destroyed.
    """
    existing = Request.objects.filter(pk=ticket).first()
    if existing:
        return existing
    # A key without a row is a twin of this post, a moment ahead, or what a crash left behind.
    with suppress(KeyExists):
        key_store().create(ticket)
    made = Request(pk=ticket, name=name, email=email, phone=phone, language=language)
    made.write(RequestFields(message=message))
    try:
        with transaction.atomic():
            made.save(force_insert=True)
            actor = actor_of(by) if by else "visitor"
            record(Act("request.made", f"request:{made.pk}", actor=actor))
    except IntegrityError:
        return Request.objects.get(pk=ticket)
    return made


@transaction.atomic
def decide(request: Request, decision: str, *, reason: str, by: User, base: str) -> Request:
    """Accept (and invite), hold or decline, with a kind word.

    Errors: Decided; Unsent, as the transaction ends: the decision stands, and its mail did not go.
    """
    row = Request.objects.select_for_update(of=("self",)).get(pk=request.pk)
    if row.state in {Request.State.ACCEPTED, Request.State.DECLINED}:
        raise Decided(_("This request has been decided already."))
    with suppress(KeyGone):  # its words are gone already; the decision stands without them
        row.write(RequestFields(message=row.read().message, decision=reason))
    row.decided_by, row.decided_at = by, timezone.now()
    if decision == "accept":
        row.state = Request.State.ACCEPTED
        row.invitation = invite(row.email, row.name, Role.PATIENT, by=by, base=base, language=row.language)
    else:
        row.state = Request.State.HELD if decision == "hold" else Request.State.DECLINED
        transaction.on_commit(lambda: _tell(row, reason))
    row.save(update_fields=["state", "sealed", "decided_by", "decided_at", "invitation"])
    record(Act(f"request.{row.state}", f"request:{row.pk}", actor=actor_of(by)))
    return row


@transaction.atomic
def invite_again(request: Request, *, by: User, base: str) -> Request:
    """Mail a new link to somebody accepted who has not come in; the old link ends.

    Errors: Decided; Unsent, as the transaction ends: the old link has ended, and nobody has the new one.
    """
    row = Request.objects.select_for_update(of=("self",)).select_related("invitation").get(pk=request.pk)
    old = row.invitation
    ended = old and Invitation.objects.filter(pk=old.pk, used_at__isnull=True).update(
        expires_at=timezone.now()
    )
    if not ended:
        raise Decided(_("This invitation has been accepted already."))
    row.invitation = invite(row.email, row.name, Role.PATIENT, by=by, base=base, language=row.language)
    row.save(update_fields=["invitation"])
    return row


def _tell(row: Request, reason: str) -> None:
    with translation.override(row.language):
        held = row.state == Request.State.HELD
        subject = _("Your request to Lacuna")
        first = (
            _("Thank you for writing. We need a little more time, and will write to you again.")
            if held
            else _("Thank you for writing. We are sorry that we cannot offer you an appointment.")
        )
        send(subject, "\n\n".join(filter(None, [first, reason])), row.email)
