"""The states of an appointment on its day: arrived, in the room, done, did not come; and the way back."""

from collections.abc import Callable
from datetime import datetime

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from clinic.accounts.models import User
from clinic.audit.record import Act, actor_of, record
from clinic.calendar import bookings
from patients.appointments.booking import CannotBook, appointment_changed, check_seen, lock_appointment
from patients.appointments.desk_tasks import answer_by_undoing, ask_for_follow_up, ask_to_call
from patients.appointments.mails import end_reminders
from patients.appointments.models import Appointment

Status = Appointment.Status
# By the state that is set: the states from which it can be set, the field with its time, the audit action.
POSSIBLE_FROM: dict[str, frozenset[str]] = {
    Status.ARRIVED: frozenset({Status.BOOKED}),
    Status.IN_PROGRESS: frozenset({Status.BOOKED, Status.ARRIVED}),
    Status.COMPLETED: frozenset({Status.ARRIVED, Status.IN_PROGRESS}),
    Status.NO_SHOW: frozenset({Status.BOOKED}),
}
TIME_FIELDS = {
    Status.ARRIVED: "arrived_at",
    Status.IN_PROGRESS: "started_at",
    Status.COMPLETED: "completed_at",
    Status.NO_SHOW: "missed_at",
}
AUDIT_ACTIONS = {
    Status.ARRIVED: "appointment.arrived",
    Status.IN_PROGRESS: "appointment.begun",
    Status.COMPLETED: "appointment.completed",
    Status.NO_SHOW: "appointment.missed",
}
# The states that release the people and the room.
RELEASING = frozenset({Status.COMPLETED, Status.NO_SHOW})


def next_states(appointment: Appointment, now: datetime) -> list[str]:
    """Return the states that an appointment can be set to now, in the order in which a visit has them."""
    if timezone.localdate(appointment.booking.starts_at) > timezone.localdate(now):
        return []
    states = [state for state, before in POSSIBLE_FROM.items() if appointment.status in before]
    return [state for state in states if state != Status.NO_SHOW or appointment.booking.starts_at <= now]


def can_undo(appointment: Appointment, now: datetime) -> bool:
    """Return whether the state of an appointment can be taken back: only on the day on which it was set."""
    since = appointment.state_since
    return appointment.status in POSSIBLE_FROM and since is not None and _same_day(since, now)


def _same_day(moment: datetime, now: datetime) -> bool:
    return timezone.localdate(moment) == timezone.localdate(now)


def _previous(appointment: Appointment) -> str:
    """Return the state before the present one. The times that are set tell which states it has had."""
    if appointment.status == Status.COMPLETED and appointment.started_at:
        return Status.IN_PROGRESS
    if appointment.status in {Status.COMPLETED, Status.IN_PROGRESS} and appointment.arrived_at:
        return Status.ARRIVED
    return Status.BOOKED


def _set_state(appointment: Appointment, state: str, seen: str | None, by: User) -> Appointment:
    """Set the state, release people and room if it is over, and cancel the reminders.

    Return the locked appointment. The caller writes the audit entry. Errors: CannotBook.
    """
    locked = lock_appointment(appointment)
    check_seen(seen, locked)
    now = timezone.now()
    if locked.status not in POSSIBLE_FROM[state]:
        raise CannotBook(
            _("This is not possible now: the appointment is “%(status)s”.")
            % {"status": locked.get_status_display()},
            stale=True,
        )
    if state not in next_states(locked, now):
        raise CannotBook(_("It has not begun yet."))
    locked.status = state
    setattr(locked, TIME_FIELDS[Status(state)], now)
    locked.save(update_fields=["status", TIME_FIELDS[Status(state)]])
    if state in RELEASING:
        bookings.release(locked.booking_id)
    end_reminders(locked)
    appointment_changed(locked, by)
    return locked


def _record(action: str, appointment: Appointment, by: User, **details: object) -> None:
    record(
        Act(
            action,
            f"appointment:{appointment.pk}",
            actor=actor_of(by),
            case=appointment.case_id,
            details=details,  # type: ignore[arg-type]
        )
    )


@transaction.atomic
def mark_arrived(appointment: Appointment, *, seen: str | None = None, by: User) -> None:
    """Record that the patient has arrived. seen: the mark on the page. Errors: CannotBook."""
    locked = _set_state(appointment, Status.ARRIVED, seen, by)
    _record(AUDIT_ACTIONS[Status.ARRIVED], locked, by)


@transaction.atomic
def mark_in_progress(appointment: Appointment, *, seen: str | None = None, by: User) -> None:
    """Record that the patient is in the room. seen: the mark on the page. Errors: CannotBook."""
    locked = _set_state(appointment, Status.IN_PROGRESS, seen, by)
    _record(AUDIT_ACTIONS[Status.IN_PROGRESS], locked, by)


@transaction.atomic
def mark_completed(appointment: Appointment, *, seen: str | None = None, by: User) -> None:
    """Record that the appointment is done, and ask the desk for what follows it. As `mark_arrived`."""
    locked = _set_state(appointment, Status.COMPLETED, seen, by)
    ask_for_follow_up(locked)
    _record(AUDIT_ACTIONS[Status.COMPLETED], locked, by)


@transaction.atomic
def mark_no_show(appointment: Appointment, *, seen: str | None = None, by: User) -> None:
    """Record that the patient did not come, and ask the desk to call. As `mark_arrived`."""
    locked = _set_state(appointment, Status.NO_SHOW, seen, by)
    ask_to_call(locked)
    _record(AUDIT_ACTIONS[Status.NO_SHOW], locked, by)


@transaction.atomic
def undo_state(appointment: Appointment, *, seen: str | None = None, by: User) -> None:
    """Take the state back to the one before, on the day on which it was set.

    People and room that were released are booked again. Errors: CannotBook, also if one of them is booked for
    something else by now.
    """
    locked = lock_appointment(appointment)
    check_seen(seen, locked)
    if not can_undo(locked, timezone.now()):
        raise CannotBook(_("This can be taken back only on the same day."))
    undone = Status(locked.status)
    if undone in RELEASING:
        try:
            bookings.undo_release(locked.booking_id)
        except bookings.Clash as clash:
            raise CannotBook(*clash.sentences()) from clash
    locked.status = _previous(locked)
    setattr(locked, TIME_FIELDS[undone], None)
    locked.save(update_fields=["status", TIME_FIELDS[undone]])
    answer_by_undoing(locked, by=by)
    _record("appointment.undone", locked, by, state=str(undone), back_to=str(locked.status))


Change = Callable[..., None]
# What the button of each state does; "undo" takes the state back.
CHANGES: dict[str, Change] = {
    Status.ARRIVED: mark_arrived,
    Status.IN_PROGRESS: mark_in_progress,
    Status.COMPLETED: mark_completed,
    Status.NO_SHOW: mark_no_show,
    "undo": undo_state,
}
