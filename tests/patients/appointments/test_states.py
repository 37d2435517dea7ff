"""Arrived, in the room, done, did not come: each state, its refusals, and the way back."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone

from clinic.accounts.models import Role, User
from clinic.audit.models import Entry
from clinic.calendar.models import Booking, Reservation
from patients.appointments.booking import CannotBook, appointment_mark
from patients.appointments.desk_tasks import AlreadyAnswered, close_task
from patients.appointments.models import Appointment, DeskTask
from patients.appointments.states import (
    mark_arrived,
    mark_completed,
    mark_in_progress,
    mark_no_show,
    next_states,
    undo_state,
)
from tests.appointments import make_appointment, make_held, make_team, make_template
from tests.factories import make_case, make_user
from tests.outgoing import queued

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


@pytest.fixture
def desk() -> User:
    return make_user(Role.RECEPTIONIST)


def reloaded(row: Appointment) -> Appointment:
    return Appointment.objects.with_booking().get(pk=row.pk)


def actions() -> list[str]:
    """The entries on appointments, without those of holding and booking."""
    made = ("appointment.held", "appointment.booked")
    rows = Entry.objects.filter(action__startswith="appointment.").exclude(action__in=made)
    return [action.partition(".")[2] for action in rows.order_by("index").values_list("action", flat=True)]


def test_a_visit_from_arrival_to_its_end_and_all_the_way_back(desk: User) -> None:
    row = make_appointment(by=desk)
    before = timezone.now()
    mark_arrived(row, by=desk)
    mark_in_progress(row, by=desk)
    mark_completed(row, by=desk)
    row = reloaded(row)
    assert row.status == "completed"
    times = [before, row.arrived_at, row.started_at, row.completed_at, timezone.now()]
    assert times == sorted(time for time in times if time is not None)
    assert row.booking.released_at is not None
    assert Reservation.objects.filter(quarter__gte=timezone.now()).count() == 0
    for back, field in (("in_progress", "completed_at"), ("arrived", "started_at"), ("booked", "arrived_at")):
        undo_state(row, by=desk)
        row = reloaded(row)
        assert (row.status, getattr(row, field)) == (back, None)
    assert row.booking.released_at is None
    assert actions() == ["arrived", "begun", "completed", "undone", "undone", "undone"]
    with pytest.raises(CannotBook, match="only on the same day"):
        undo_state(row, by=desk)


@pytest.mark.parametrize("length", [30, 60])
def test_a_no_show_ends_all_reservations_at_once_and_leaves_a_call_to_make(desk: User, length: int) -> None:
    row = make_appointment(by=desk, minutes=length, starts_at=timezone.now())
    booked = set(Reservation.objects.values_list("resource", "quarter"))
    mark_no_show(row, by=desk)
    assert Reservation.objects.count() == 0
    task = DeskTask.objects.get()
    assert (task.kind, task.case_id, task.answer) == ("call", row.case_id, "")
    undo_state(row, by=desk)
    assert set(Reservation.objects.values_list("resource", "quarter")) == booked
    task.refresh_from_db()
    assert (task.answer, task.answered_by) == ("undone", desk)
    mark_no_show(row, by=desk)
    assert DeskTask.objects.open().count() == 1


def test_a_release_cannot_be_taken_back_once_somebody_else_has_the_time(desk: User) -> None:
    team = make_team()
    row = make_appointment(by=desk, team=team, minutes=60, name="Long", starts_at=timezone.now())
    mark_no_show(row, by=desk)
    other = make_appointment(by=desk, team=team, starts_at=timezone.now() + timedelta(minutes=15))
    reserved = Reservation.objects.count()
    with pytest.raises(CannotBook, match="is taken from"):
        undo_state(row, by=desk)
    assert reloaded(row).status == "no_show"
    assert reloaded(row).booking.released_at is not None
    assert Reservation.objects.count() == reserved
    assert DeskTask.objects.open().count() == 1
    Booking.objects.filter(appointment=other).update(held_until=timezone.now() - HOUR)
    undo_state(row, by=desk)
    assert reloaded(row).status == "booked", "an expired hold is in nobody's way"


@pytest.mark.parametrize(
    ("status", "possible"),
    [
        ("booked", ["arrived", "in_progress", "no_show"]),
        ("arrived", ["in_progress", "completed"]),
        ("in_progress", ["completed"]),
        ("completed", []),
        ("no_show", []),
        ("cancelled", []),
        ("held", []),
    ],
)
def test_each_status_allows_only_certain_next_ones(desk: User, status: str, possible: list[str]) -> None:
    row = make_held(by=desk)
    if status != "held":
        Appointment.objects.update(status=status, booked_at=timezone.now())
    row = reloaded(row)
    assert next_states(row, timezone.now()) == possible
    changes: dict[str, Callable[..., None]] = {
        "arrived": mark_arrived,
        "in_progress": mark_in_progress,
        "completed": mark_completed,
        "no_show": mark_no_show,
    }
    for state in changes.keys() - set(possible):
        with pytest.raises(CannotBook, match="not possible now") as refused:
            changes[state](row, by=desk)
        assert refused.value.stale
    assert reloaded(row).status == status
    assert actions() == []


def test_no_state_is_entered_before_its_day_and_no_absence_before_the_start(desk: User) -> None:
    tomorrow = timezone.now() + 24 * HOUR
    row = make_appointment(by=desk, starts_at=tomorrow)
    assert next_states(row, timezone.now()) == []
    assert next_states(row, tomorrow) == ["arrived", "in_progress", "no_show"]
    assert "no_show" not in next_states(row, tomorrow - timedelta(seconds=1))
    for change in (mark_arrived, mark_no_show):
        with pytest.raises(CannotBook, match="not begun yet"):
            change(row, by=desk)
    assert reloaded(row).status == "booked"


def test_a_state_is_taken_back_only_on_its_day(desk: User) -> None:
    row = make_appointment(by=desk)
    mark_arrived(row, by=desk)
    Appointment.objects.update(arrived_at=timezone.now() - 25 * HOUR)
    with pytest.raises(CannotBook, match="only on the same day"):
        undo_state(row, by=desk)


def test_a_button_of_an_old_page_changes_nothing(desk: User) -> None:
    row = make_appointment(by=desk)
    older = appointment_mark(row)
    mark_arrived(row, seen=older, by=desk)
    for change in (mark_in_progress, mark_completed, undo_state):
        with pytest.raises(CannotBook, match="Somebody changed it meanwhile"):
            change(row, seen=older, by=desk)
    assert reloaded(row).status == "arrived"


def test_a_no_show_cancels_the_reminders(desk: User) -> None:
    row = make_appointment(by=desk, starts_at=timezone.now() + 26 * HOUR)
    assert "appointment-tomorrow" in queued()
    Booking.objects.update(starts_at=timezone.now() - HOUR)
    mark_no_show(row, by=desk)
    assert "appointment-tomorrow" not in queued()


def test_a_follow_up_task_is_answered_by_booking_its_template_and_then_cannot_be_closed(desk: User) -> None:
    after = make_template("Later", kind="follow-up")
    case = make_case()
    row = make_appointment(case, by=desk, follow_up=after, follow_up_days=21)
    assert not DeskTask.objects.exists()
    mark_in_progress(row, by=desk)
    mark_completed(row, by=desk)
    task = DeskTask.objects.get()
    assert (task.kind, task.template, task.due) == (
        "follow-up",
        after,
        timezone.localdate() + timedelta(days=21),
    )
    make_appointment(case, by=desk, name="Another", starts_at=timezone.now() + 50 * HOUR)
    assert DeskTask.objects.open().count() == 1, "another kind of appointment does not answer it"
    make_appointment(case, by=desk, name="Later", starts_at=timezone.now() + 500 * HOUR)
    task.refresh_from_db()
    assert (task.answer, task.answered_by) == ("booked", desk)
    with pytest.raises(AlreadyAnswered):
        close_task(task, by=desk)
    assert not Entry.objects.filter(action="desk-task.closed").exists()


def test_a_call_is_answered_by_any_new_appointment_or_by_hand(desk: User) -> None:
    case, other = make_case(), make_case()
    mark_no_show(make_appointment(case, by=desk), by=desk)
    mark_no_show(make_appointment(other, by=desk), by=desk)
    make_appointment(case, by=desk, name="Again", starts_at=timezone.now() + 50 * HOUR)
    assert DeskTask.objects.get(case=case).answer == "booked"
    close_task(DeskTask.objects.get(case=other), by=desk)
    assert DeskTask.objects.get(case=other).answer == "closed"
    assert Entry.objects.get(action="desk-task.closed").case == other.pk
