"""Doctor calls: notify the doctors booked, remind them until one answers, then escalate to all others.

The whole state is in database rows, and times are compared with the database's clock. So a supervisor can
continue where another one crashed, and two supervisors never notify anyone twice for the same reminder.
A call is an alert on the pages of those it concerns at once (call_alerts.py), whatever becomes of its mails,
which the queue of outgoing messages sends (clinic/outgoing).
"""

from collections.abc import Collection, Iterable, Mapping
from types import MappingProxyType
from uuid import UUID

from django.db import transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Now
from django.utils.translation import gettext as _

from clinic.accounts.models import Role, User
from clinic.audit.canonical import Detail
from clinic.audit.record import Act, record
from clinic.outgoing.queue import cancel, queue
from clinic.outgoing.recipients import to_staff
from erasure.runs.models import CallNotice, DoctorCall, Event, Run
from erasure.runs.run_actions import UNCHANGED, ActionResult, NotNow, after, lock, record_run_event

# The first reminders come after so many times the reminder interval, all others after the last.
BACK_OFF = (1, 2, 5, 10)
_Why = DoctorCall.Why
# The machine needs somebody, not the patient. The technicians booked are told too.
OF_THE_MACHINE = {_Why.DAMAGED, _Why.STORAGE, _Why.FAULT, _Why.STALLED}
# Made by a person, or about the patient's safety.
_OF_PEOPLE = {_Why.ASKED, _Why.SAFE_WORD, _Why.PRESENCE}
_MATTERS_MORE = {*_OF_PEOPLE, _Why.DAMAGED, _Why.FAULT}
# The reason of an open call, and those that replace it because they matter more.
REPLACED_BY: dict[str, set[DoctorCall.Why]] = {
    _Why.DAMAGED: _OF_PEOPLE,
    _Why.FAULT: _OF_PEOPLE,
    _Why.HOLD: _MATTERS_MORE,
    _Why.STORAGE: {*_MATTERS_MORE, _Why.HOLD},
    _Why.STALLED: {*_MATTERS_MORE, _Why.HOLD, _Why.STORAGE},
}
# Nobody can do anything about these once the run has finished.
OVER_WITH_THE_RUN = {_Why.HOLD, _Why.DAMAGED, _Why.FAULT, _Why.STALLED}


def reminder_interval(run: Run, reminders: int = 0) -> float:
    """Return the seconds until the next reminder while nobody answers. reminders: how many there were."""
    factor = BACK_OFF[min(reminders, len(BACK_OFF) - 1)]
    return max(1.0, run.call_again_seconds * factor)


def _reminders(call: DoctorCall) -> int:
    """Return how often people were reminded of a call."""
    kinds = ("doctor-called-again", "doctor-escalated")
    return Event.objects.filter(run=call.run_id, kind__in=kinds, at__gte=call.called_at).count()


def unanswered() -> "QuerySet[DoctorCall]":
    """Calls that nobody has acknowledged.

    They stay open after the run has ended or was stopped, except those that no longer matter then.
    """
    over = Q(why__in=OVER_WITH_THE_RUN, run__state=Run.State.FINISHED)
    # While a run is stopping there is nothing to decide any more.
    undecided = Q(why=DoctorCall.Why.HOLD, run__state=Run.State.STOPPING)
    return DoctorCall.objects.filter(acknowledged_at__isnull=True).exclude(over | undecided)


def open_call(
    run: Run, *, by: User | None, why: str, details: Mapping[str, Detail] = MappingProxyType({})
) -> ActionResult:
    """Open a doctor call and queue messages to the doctors booked. Changes nothing if a call is open already.

    Except: an open call takes a reason that matters more (REPLACED_BY) and is repeated at once. The caller
    holds the run lock. Must be the last call in the transaction. details: more for the event and the entry.
    """
    call = DoctorCall.objects.filter(run=run, acknowledged_at__isnull=True).first()
    if call is not None and why not in REPLACED_BY.get(call.why, set()):
        return UNCHANGED
    if call is None:
        call = DoctorCall.objects.create(
            run=run,
            called_by=by,
            why=why,
            called_at=Now(),
            remind_at=after(reminder_interval(run)),
            escalate_at=after(run.call_escalate_seconds),
        )
        doctors = _booked(run, Role.DOCTOR, exclude=by)
        others = _booked(run, Role.TECHNICIAN, exclude=by) if why in OF_THE_MACHINE else set()
        notified = _queue_notices(call, doctors | others, CallNotice.Kind.FIRST)
        if not doctors:  # there is no doctor whose answer could be waited for
            DoctorCall.objects.filter(pk=call.pk).update(escalate_at=Now())
    else:
        DoctorCall.objects.filter(pk=call.pk).update(why=why, remind_at=Now())
        notified = []
    done = record_run_event(run, "doctor-called", by, {"why": str(why), **details})
    _record_notified(run, notified, CallNotice.Kind.FIRST)
    return done


def _booked(run: Run, role: str, *, exclude: User | None) -> set[User]:
    people = User.objects.filter(
        is_active=True, grants__role=role, resources__bookings=run.procedure.booking_id
    )
    barred = run.procedure.case.people_in_conflict() | ({exclude.pk} if exclude else set())
    return {person for person in people if person.pk not in barred}


def _escalation_recipients(run: Run, *, exclude: set[UUID]) -> list[User]:
    """All other doctors and the administrators, except those with a conflict of interest in the case."""
    people = User.objects.filter(is_active=True, grants__role__in=[Role.DOCTOR, Role.ADMINISTRATOR]).exclude(
        pk__in=exclude
    )
    barred = run.procedure.case.people_in_conflict()
    return [person for person in people.distinct() if person.pk not in barred]


def _queue_notices(call: DoctorCall, people: Iterable[User], kind: str) -> list[User]:
    """Create one notice for each person, and queue its mail. It replaces one that still waits."""
    users = sorted(people, key=lambda person: person.pk)
    for user in users:
        notice = CallNotice.objects.create(call=call, user=user, kind=kind, at=Now())
        case = call.run.procedure.case_id
        queue("doctor-wanted", _mails_of(call.pk), to=[to_staff(user)], version=notice.pk, case=case)
    return users


def _mails_of(call_id: int) -> str:
    """Return the object of the mails on a call."""
    return f"call:{call_id}"


def _record_notified(run: Run, people: Iterable[User], kind: str) -> None:
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
    """Send a reminder or an escalation for every call that is due; returns how many messages were queued."""
    due = unanswered().filter(Q(remind_at__lte=Now()) | Q(escalated_at__isnull=True, escalate_at__lte=Now()))
    return sum(_remind(pk, run_id) for pk, run_id in due.values_list("pk", "run_id"))


@transaction.atomic
def _remind(call_id: int, run_id: UUID) -> int:
    run = lock(run_id, allow_finished=True)
    # Checked again under the lock: a doctor may have answered, or another supervisor may have been faster.
    mine = unanswered().filter(pk=call_id)
    call = mine.first()
    if call is None:
        return 0
    again = after(reminder_interval(run, _reminders(call) + 1))
    escalating = mine.filter(escalated_at__isnull=True, escalate_at__lte=Now()).update(escalated_at=Now())
    if not mine.filter(remind_at__lte=Now()).update(remind_at=again) and not escalating:
        return 0
    call = mine.get()
    call.run = run
    notices = CallNotice.objects.filter(call=call)
    already_notified = User.objects.filter(is_active=True, pk__in=notices.values("user_id")).exclude(
        pk__in=notices.filter(seen_at__isnull=False).values("user_id")
    )
    reminded = _queue_notices(call, already_notified, CallNotice.Kind.AGAIN)
    new = (
        _queue_notices(
            call,
            _escalation_recipients(run, exclude=set(notices.values_list("user_id", flat=True))),
            CallNotice.Kind.ESCALATED,
        )
        if escalating
        else []
    )
    record_run_event(
        run,
        "doctor-escalated" if escalating else "doctor-called-again",
        None,
        {"told": len(reminded) + len(new)},
    )
    _record_notified(run, reminded, CallNotice.Kind.AGAIN)
    _record_notified(run, new, CallNotice.Kind.ESCALATED)
    return len(reminded) + len(new)


@transaction.atomic
def acknowledge(run_id: UUID, *, by: User) -> ActionResult:
    """Acknowledge the open call as the doctor `by`. Errors: NotNow if there was never a call."""
    run = lock(run_id, allow_finished=True)
    if _answer(unanswered().filter(run=run), by=by):
        return record_run_event(run, "doctor-acknowledged", by)
    if DoctorCall.objects.filter(run=run).exists():
        return UNCHANGED
    raise NotNow(_("Nobody is calling at the moment."))


@transaction.atomic
def mark_seen(run_id: UUID, *, by: User) -> ActionResult:
    """Record that `by`, who was told of the open call, knows of it. They are not reminded any more.

    The call stays open: only a doctor answers it. Errors: NotNow if no call is open, or they were not told.
    """
    run = lock(run_id, allow_finished=True)
    mine = CallNotice.objects.filter(call__in=unanswered().filter(run=run), user=by)
    if not mine.exists():
        raise NotNow(_("Nobody is calling at the moment."))
    if mine.filter(seen_at__isnull=False).exists():
        return UNCHANGED
    mine.update(seen_at=Now())
    return record_run_event(run, "call-seen", by)


def acknowledge_calls(run: Run, *, by: User, why: Collection[str]) -> None:
    """Acknowledge the open call if its reason is one of `why`: the doctor `by` has done what it asked for.

    The caller holds the run lock.
    """
    if _answer(DoctorCall.objects.filter(run=run, acknowledged_at__isnull=True, why__in=why), by=by):
        record_run_event(run, "doctor-acknowledged", by)


def end_call(run: Run, why: str) -> None:
    """End the open call made for `why`, because what it was made for is over. The caller holds the run lock.

    Nobody is named as having answered it. The event that says what is over is the caller's.
    """
    _answer(DoctorCall.objects.filter(run=run, acknowledged_at__isnull=True, why=why), by=None)


def _answer(calls: "QuerySet[DoctorCall]", *, by: User | None) -> bool:
    """End these calls, of which at most one is open, and the mails on them that still wait.

    Return whether there was one.
    """
    ids = list(calls.values_list("pk", flat=True))
    done = DoctorCall.objects.filter(pk__in=ids).update(acknowledged_by=by, acknowledged_at=Now())
    for pk in ids:
        cancel(_mails_of(pk))
    return bool(done)
