"""The doctor is wanted: told at once, told again, and when nobody answers everybody who could is told.

All of it stands in rows and is compared with the database's clock. So any supervisor goes on where another
died, and two of them tell nobody twice for one round. Messages go out at least once: a row is taken, sent,
and marked as sent.
"""

import logging
from collections.abc import Iterable
from smtplib import SMTPException
from uuid import UUID

from django.conf import settings
from django.core.mail import send_mail
from django.db import transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Now
from django.utils import timezone, translation
from django.utils.formats import time_format
from django.utils.translation import gettext as _

from clinic.access.relations import CONFLICT
from clinic.accounts.models import Role, User
from clinic.audit.record import Act, record
from erasure.runs.models import CallNotice, DoctorCall, Run
from erasure.runs.run_actions import UNCHANGED, Done, NotNow, after, lock, record_run_event
from patients.cases.relations import standing_to

log = logging.getLogger("lacuna.calls")

TAKEN = 30.0  # seconds a sender may take over one message before another tries it
# Calls that a person made, or that are about the patient's safety, outweigh that a copy was found.
PRESSING = {DoctorCall.Why.ASKED, DoctorCall.Why.SAFE_WORD, DoctorCall.Why.PRESENCE}


def again() -> float:
    """Seconds between two rounds of messages while nobody answers."""
    return max(1.0, settings.LACUNA_CALL_AGAIN_SECONDS)


def unanswered() -> "QuerySet[DoctorCall]":
    """Calls that still want an answer: also after the end, but for copies on which nothing hangs any more."""
    return DoctorCall.objects.filter(acknowledged_at__isnull=True).exclude(
        why=DoctorCall.Why.HOLD, run__state=Run.State.FINISHED
    )


def open_call(run: Run, *, by: User | None, why: str) -> Done:
    """Call the doctor of this night. Call under the run's lock, last in the transaction."""
    call = DoctorCall.objects.filter(run=run, acknowledged_at__isnull=True).first()
    if call is not None and (call.why != DoctorCall.Why.HOLD or why not in PRESSING):
        return UNCHANGED
    if call is None:
        call = DoctorCall.objects.create(
            run=run,
            called_by=by,
            why=why,
            called_at=Now(),
            remind_at=after(again()),
            escalate_at=after(settings.LACUNA_CALL_ESCALATE_SECONDS),
        )
        told = _write(call, _doctors_of(run, by), CallNotice.Kind.FIRST)
        if not told:  # there is nobody to wait for
            DoctorCall.objects.filter(pk=call.pk).update(escalate_at=Now())
    else:
        DoctorCall.objects.filter(pk=call.pk).update(why=why, remind_at=Now())
        told = []
    done = record_run_event(run, "doctor-called", by, {"why": str(why)})
    _record_told(run, told, CallNotice.Kind.FIRST)
    return done


def _doctors_of(run: Run, but: User | None) -> list[User]:
    people = User.objects.filter(
        is_active=True, grants__role=Role.DOCTOR, resources__bookings=run.procedure.booking_id
    )
    return [person for person in people.distinct() if but is None or person.pk != but.pk]


def _everybody_else(run: Run, told: set[UUID]) -> list[User]:
    """Every other doctor and the administrators, but for those the case is about."""
    people = User.objects.filter(is_active=True, grants__role__in=[Role.DOCTOR, Role.ADMINISTRATOR]).exclude(
        pk__in=told
    )
    case = run.procedure.case
    return [person for person in people.distinct() if CONFLICT not in standing_to(person, case)]


def _write(call: DoctorCall, people: Iterable[User], kind: str) -> list[User]:
    found = sorted(people, key=lambda person: person.pk)
    CallNotice.objects.bulk_create(CallNotice(call=call, user=user, kind=kind, at=Now()) for user in found)
    return found


def _record_told(run: Run, people: Iterable[User], kind: str) -> None:
    record(
        *(
            Act(
                "call.told",
                f"user:{person.pk}",
                actor="system:supervisor",
                case=run.procedure.case_id,
                run=run.pk,
                details={"kind": str(kind)},
            )
            for person in people
        )
    )


def remind_due() -> int:
    """Do one round for each call that is due for one; returns how many people were told."""
    due = unanswered().filter(Q(remind_at__lte=Now()) | Q(escalated_at__isnull=True, escalate_at__lte=Now()))
    return sum(_round(pk, run_id) for pk, run_id in due.values_list("pk", "run_id"))


@transaction.atomic
def _round(call_id: int, run_id: UUID) -> int:
    run = lock(run_id, over=True)
    # Asked again under the lock: somebody may have answered, or another supervisor been faster.
    mine = unanswered().filter(pk=call_id)
    escalating = mine.filter(escalated_at__isnull=True, escalate_at__lte=Now()).update(escalated_at=Now())
    if not mine.filter(remind_at__lte=Now()).update(remind_at=after(again())) and not escalating:
        return 0
    call = mine.get()
    known = User.objects.filter(is_active=True, pk__in=CallNotice.objects.filter(call=call).values("user_id"))
    told = _write(call, known, CallNotice.Kind.AGAIN)
    new = (
        _write(call, _everybody_else(run, {person.pk for person in told}), CallNotice.Kind.ESCALATED)
        if escalating
        else []
    )
    record_run_event(
        run,
        "doctor-escalated" if escalating else "doctor-called-again",
        None,
        {"told": len(told) + len(new)},
    )
    _record_told(run, told, CallNotice.Kind.AGAIN)
    _record_told(run, new, CallNotice.Kind.ESCALATED)
    return len(told) + len(new)


@transaction.atomic
def acknowledge(run_id: UUID, *, by: User) -> Done:
    """A doctor answers the call. Errors: NotNow when nobody called."""
    run = lock(run_id, over=True)
    open_one = DoctorCall.objects.filter(run=run, acknowledged_at__isnull=True)
    if open_one.update(acknowledged_by=by, acknowledged_at=Now()) == 1:
        return record_run_event(run, "doctor-acknowledged", by)
    if DoctorCall.objects.filter(run=run).exists():
        return UNCHANGED
    raise NotNow(_("Nobody is calling at the moment."))


def answered_by_deciding(run: Run, *, by: User) -> None:
    """A doctor who decides on the last copy has come: the call for it is answered. Under the run's lock."""
    open_one = DoctorCall.objects.filter(run=run, acknowledged_at__isnull=True, why=DoctorCall.Why.HOLD)
    if open_one.update(acknowledged_by=by, acknowledged_at=Now()):
        record_run_event(run, "doctor-acknowledged", by)


def send_due() -> int:
    """Send the messages that wait; returns how many went out. One that fails is tried again."""
    free = Q(taken_until__isnull=True) | Q(taken_until__lt=Now())
    waiting = CallNotice.objects.filter(free, sent_at__isnull=True, call__acknowledged_at__isnull=True)
    sent = 0
    for notice in waiting.select_related("user", "call"):
        mine = CallNotice.objects.filter(free, pk=notice.pk, sent_at__isnull=True)
        if mine.update(taken_until=after(TAKEN)) != 1:
            continue
        try:
            _send(notice)
        except (OSError, SMTPException):
            log.exception("a message could not be sent and will be tried again")
            continue
        CallNotice.objects.filter(pk=notice.pk).update(sent_at=Now())
        sent += 1
    return sent


def _send(notice: CallNotice) -> None:
    """A mail names nobody: whoever reads over a shoulder learns that a doctor is wanted, no more."""
    with translation.override(settings.LANGUAGE_CODE):
        since = time_format(timezone.localtime(notice.call.called_at), "H:i")
        lines = [_("A doctor has been wanted at a session since %(at)s.") % {"at": since}]
        if notice.kind == CallNotice.Kind.ESCALATED:
            lines.append(_("Nobody has answered, so you are told too."))
        lines.append(_("Please open Lacuna and answer. This message comes again until somebody does."))
        send_mail(_("Lacuna: a doctor is wanted"), " ".join(lines), None, [notice.user.email])
