"""Stores a visitor's request for an appointment, and the front desk's decision on it."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from clinic.accounts.models import Invitation, Role, User
from clinic.accounts.search_words import (
    Kind,
    email_words,
    name_words,
    number_words,
    phone_words,
    write_words,
)
from clinic.audit.record import Act, actor_of, record
from clinic.edits.seen import is_seen, seen_mark
from clinic.names import address_key, normalize_address, normalize_text
from clinic.outgoing.queue import cancel, queue
from clinic.outgoing.recipients import Audience, Recipient
from clinic.people.invitations import expire, invite
from patients.drafts.writing import end_drafts_about
from patients.repeats.former_patients import refused_former_patient
from patients.requests.models import AppointmentRequest, RequestFields, RequestWord
from patients.requests.numbers import request_number
from patients.vault.configured import key_store
from patients.vault.keys import KeyExists, KeyGone

# At most so many mails "request received" go to one address in a day. The form is public: anybody can enter
# the address of somebody else.
MAILS_EACH_DAY = 3


class CannotDecide(Exception):
    """The request cannot be decided now; the message says why."""


def _visitor_of(row: AppointmentRequest) -> Recipient:
    return Recipient(f"request:{row.pk}", Audience.PATIENT, row.language)


def request_mark(request: AppointmentRequest) -> str:
    """Return the mark of what the inbox shows of a request, for the buttons that decide on it."""
    return seen_mark(f"request:{request.pk}", *_marked_values(request))


def _marked_values(request: AppointmentRequest) -> list[object]:
    return [request.state, request.decided_at, request.invitation_id]


def _check_seen(row: AppointmentRequest, seen: str | None) -> None:
    """Check that a locked request is what the page showed. Errors: CannotDecide."""
    if seen is not None and not is_seen(seen, f"request:{row.pk}", *_marked_values(row)):
        raise CannotDecide(
            _("Somebody has answered this request while your page was open. It is shown now as it is.")
        )


def create_request(
    *, ticket: UUID, name: str, email: str, phone: str, message: str, language: str, by: User | None = None
) -> AppointmentRequest:
    """Store a visitor's request and return it. A repeated call with the same ticket returns the same request.

    ticket: must come from `read_ticket`; it becomes the request's id. by: the receptionist who fills in the
    form for a caller. Errors: KeyGone if the request of this ticket was destroyed.
    """
    existing = AppointmentRequest.objects.filter(pk=ticket).first()
    if existing:
        return existing
    # A key without a row was created by a concurrent copy of this POST, or left behind by a crash.
    with suppress(KeyExists):
        key_store().create(ticket)
    row = AppointmentRequest(
        pk=ticket, name=normalize_text(name), email=normalize_address(email), phone=phone, language=language
    )
    row.write(RequestFields(message=message))
    try:
        with transaction.atomic():
            row.save(force_insert=True)
            _write_search_words(row)
            if by or not _is_flooded(row):
                queue("request-received", f"request:{row.pk}", to=[_visitor_of(row)], version=1)
            actor = actor_of(by) if by else "visitor"
            record(Act("request.made", f"request:{row.pk}", actor=actor))
    except IntegrityError:
        return AppointmentRequest.objects.get(pk=ticket)
    return row


def _write_search_words(row: AppointmentRequest) -> None:
    words = name_words(row.name) | email_words(row.email) | phone_words(row.phone)
    write_words(RequestWord, {"request": row}, words | number_words(request_number(row.pk)), Kind.values)


def _is_flooded(row: AppointmentRequest) -> bool:
    """Return whether MAILS_EACH_DAY other requests had the address of this one within the last day."""
    word = next(word for kind, word in email_words(row.email) if kind == Kind.EMAIL)
    since = timezone.now() - timedelta(days=1)
    same = RequestWord.objects.filter(kind=Kind.EMAIL, word=word, request__created_at__gt=since)
    return same.exclude(request=row).count() >= MAILS_EACH_DAY


@transaction.atomic
def decide(
    request: AppointmentRequest, decision: str, *, reason: str, seen: str | None = None, by: User, base: str
) -> AppointmentRequest:
    """Accept (and invite), hold or decline a request; queue the mail with the answer.

    decision: "accept", "hold" or "decline". reason: shown to the visitor. base: the server's base URL, for
    the link. seen: the `request_mark` on the page; None where no page was shown. Errors: CannotDecide, also
    if the request is not what the page showed.
    """
    row = AppointmentRequest.objects.select_for_update(of=("self",)).get(pk=request.pk)
    if row.state in {AppointmentRequest.State.ACCEPTED, AppointmentRequest.State.DECLINED}:
        raise CannotDecide(_("This request has been decided already."))
    _check_seen(row, seen)
    if address_key(row.email) == address_key(by.email):
        raise CannotDecide(_("This is a request of your own. A colleague has to answer it."))
    if decision == "accept":
        _check_repeat_limit(row)
    with suppress(KeyGone):  # its message was destroyed already; only the state is saved
        row.write(RequestFields(message=row.read().message, decision=reason))
    row.decided_by, row.decided_at = by, timezone.now()
    cancel(f"request:{row.pk}", "request-held")  # the mail of an earlier answer, if it still waits
    if decision == "accept":
        row.state = AppointmentRequest.State.ACCEPTED
        row.invitation = _invite(row, by=by, base=base)
    else:
        row.state = AppointmentRequest.State.HELD if decision == "hold" else AppointmentRequest.State.DECLINED
        queue(f"request-{row.state}", f"request:{row.pk}", to=[_visitor_of(row)], base=base)
    row.save(update_fields=["state", "sealed", "decided_by", "decided_at", "invitation"])
    if row.state != AppointmentRequest.State.HELD:
        end_drafts_about(row.pk)  # nobody can answer it any more
    record(Act(f"request.{row.state}", f"request:{row.pk}", actor=actor_of(by)))
    return row


def _check_repeat_limit(row: AppointmentRequest) -> None:
    """Check that the limit on nights lets a former patient come again. Errors: CannotDecide."""
    former = refused_former_patient(row.email)
    if former is None:
        return
    ask = _("A doctor and an administrator can agree to an exception, on the page of the file %(file)s.")
    raise CannotDecide(" ".join([*former.sentences, ask % {"file": former.case.reference}]))


@dataclass(frozen=True)
class Refusal:
    """A request that was not decided, and why."""

    request: AppointmentRequest
    why: str


def decide_each(
    picked: Mapping[UUID, str], decision: str, *, reason: str, by: User, base: str
) -> tuple[list[AppointmentRequest], list[Refusal]]:
    """Decide several requests alike, each in a transaction of its own. Return the decided and the refused.

    picked: the `request_mark` on the page, by the id of the request. The other arguments as for `decide`. A
    refused request stays as it is, and stops none of the others.
    """
    done, refused = [], []
    for row in AppointmentRequest.objects.filter(pk__in=picked).order_by("created_at", "pk"):
        try:
            done.append(decide(row, decision, reason=reason, seen=picked[row.pk], by=by, base=base))
        except CannotDecide as refusal:
            refused.append(Refusal(row, str(refusal)))
    return done, refused


@transaction.atomic
def invite_again(
    request: AppointmentRequest, *, seen: str | None = None, by: User, base: str
) -> AppointmentRequest:
    """Queue the mail with a new invitation for an accepted visitor who has not used theirs.

    The old link expires. seen: as for `decide`. Errors: CannotDecide, also if the request is not what the
    page showed.
    """
    row = (
        AppointmentRequest.objects.select_for_update(of=("self",))
        .select_related("invitation")
        .get(pk=request.pk)
    )
    _check_seen(row, seen)
    if not (row.invitation and expire(row.invitation)):
        raise CannotDecide(_("This invitation has been accepted already."))
    row.invitation = _invite(row, by=by, base=base)
    row.save(update_fields=["invitation"])
    return row


def _invite(row: AppointmentRequest, *, by: User, base: str) -> Invitation:
    return invite(
        row.email,
        row.name,
        Role.PATIENT,
        by=by,
        base=base,
        language=row.language,
        event="request-accepted",
    )
