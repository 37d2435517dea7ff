"""After the end of a run its people and rooms are free, and its pages offer nothing more."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from clinic.accounts.models import Role, User
from clinic.calendar.board import board_of
from clinic.calendar.bookings import Clash, book, release
from clinic.calendar.models import Booking, Reservation
from erasure.jobs.supervisor import end_stopped
from erasure.jobs.worker import advance
from erasure.runs import control, handover, presence
from erasure.runs.models import Handover, Run
from erasure.runs.run_actions import NotNow
from erasure.session.snapshot import snapshot
from tests.configuration import configure
from tests.erasure.runs.nights import book_elsewhere, doctor_of, leave_unattended, technician_of
from tests.erasure.session.viewing import viewer
from tests.factories import make_doctor, make_run, make_technician, make_user

pytestmark = pytest.mark.django_db(transaction=True)


def book_its_resources(run: Run) -> Booking:
    """Book the people and resources of a run for something else, from now on."""
    now = timezone.now()
    resources = list(run.procedure.booking.resources.all())
    by = run.procedure.booked_by
    return book(kind="visit", resources=resources, starts_at=now, ends_at=now + timedelta(hours=1), by=by)


@pytest.mark.parametrize("how", ["complete", "aborted", "withdrawn"])
def test_the_end_of_a_run_releases_its_resources_at_once(how: str) -> None:
    run, other = make_run(1), make_run(1)
    with pytest.raises(Clash):
        book_its_resources(run)
    if how == "complete":
        advance(run.pk)
    elif how == "aborted":
        control.abort(run.pk, by=doctor_of(run), reason="medical")
    else:
        control.stop_unconsented(run.pk)
    book_its_resources(run)
    end_stopped()
    with pytest.raises(Clash):
        book_its_resources(other)
    assert run.procedure.booking.resources.count() == 3, "the booking still lists its resources"


def test_a_release_keeps_past_reservations_and_happens_once() -> None:
    run = make_run(1)
    booking = run.procedure.booking
    past = timezone.now() - timedelta(hours=2)
    Booking.objects.filter(pk=booking.pk).update(starts_at=past)
    resource = booking.resources.first()
    assert resource
    Reservation.objects.create(resource=resource, booking=booking, quarter=past)
    release(booking.pk)
    assert [row.quarter for row in Reservation.objects.filter(booking=booking)] == [past]
    booking.refresh_from_db()
    first = booking.released_at
    assert first
    assert booking.occupied_until == first < booking.ends_at
    release(booking.pk)
    booking.refresh_from_db()
    assert booking.released_at == first


def test_a_booking_that_has_ended_is_not_released() -> None:
    booking = make_run(1).procedure.booking
    past = timezone.now() - timedelta(hours=1)
    Booking.objects.filter(pk=booking.pk).update(starts_at=past - timedelta(hours=1), ends_at=past)
    release(booking.pk)
    booking.refresh_from_db()
    assert (booking.released_at, booking.occupied_until) == (None, booking.ends_at)


def test_the_day_board_shows_a_run_until_its_end_and_lists_it_as_ended(client: Client) -> None:
    run, other = make_run(1), make_run(1)
    advance(run.pk)
    doctor = doctor_of(run)
    board = board_of(timezone.localdate(), doctor)
    assert [night.url for night in board.under_way] == [f"/sessions/{other.pk}/"]
    assert [night.url for night in board.ended] == [f"/sessions/{run.pk}/"]
    drawn = {bar.booking.pk for block in board.blocks for row in block.rows for bar in row.bars}
    assert other.procedure.booking_id in drawn
    bars = [bar for block in board.blocks for row in block.rows for bar in row.bars]
    assert all(bar.length == 1 for bar in bars if bar.booking.pk == run.procedure.booking_id)
    client.force_login(doctor)
    page = client.get("/today/").content.decode()
    in_progress, _h2, ended = page.partition("<h2>Ended</h2>")
    assert f"/sessions/{run.pk}/" not in in_progress
    assert f"/sessions/{run.pk}/" in ended


def test_the_day_board_says_that_nothing_is_in_progress_after_the_end(client: Client) -> None:
    run = make_run(1)
    advance(run.pk)
    client.force_login(make_user(Role.DOCTOR))
    assert "Nobody is being erased." in client.get("/today/").content.decode()


def test_an_open_call_of_an_ended_run_is_shown_with_the_ended_runs() -> None:
    run = make_run(1)
    control.call_doctor(run.pk, by=None)
    control.abort(run.pk, by=doctor_of(run), reason="medical")
    assert [night.open for night in board_of(timezone.localdate(), doctor_of(run)).progress] == [True]
    end_stopped()
    (night,) = board_of(timezone.localdate(), doctor_of(run)).progress
    assert (night.open, night.alarm, str(night.state)) == (False, True, "Doctor called")


def test_the_end_of_a_run_withdraws_its_offer(client: Client) -> None:
    run = make_run(1)
    other = make_technician()
    handover.offer(run.pk, other.pk, by=technician_of(run))
    control.abort(run.pk, by=doctor_of(run), reason="medical")
    client.force_login(other)
    stopping = client.get(f"/sessions/{run.pk}/handover/").content.decode()
    assert "I take it" not in stopping
    with pytest.raises(NotNow, match="being stopped"):
        handover.accept(run.pk, by=other)
    end_stopped()
    assert Handover.objects.get(run=run).state == Handover.State.WITHDRAWN
    assert client.get(f"/sessions/{run.pk}/handover/").status_code == 404
    client.force_login(technician_of(run))
    page = client.get(f"/sessions/{run.pk}/handover/").content.decode()
    assert "This night is over" in page
    assert "Ask them" not in page


def controls_of(run: Run, user: User) -> set[str]:
    row = Run.objects.get(pk=run.pk)
    return {key for key, url in snapshot(run.pk, viewer(row, user))["controls"].items() if url}


def test_the_handover_control_is_shown_to_those_who_may_use_it(client: Client) -> None:
    run = make_run(1)
    third, doctor = make_technician(), make_doctor()
    booking = run.procedure.booking
    booking.resources.add(third.resources.get())
    assert "handover" in controls_of(run, responsible_for(run))
    assert "handover" in controls_of(run, doctor)
    assert "handover" not in controls_of(run, third)
    client.force_login(third)
    page = client.get(f"/sessions/{run.pk}/handover/").content.decode()
    assert "Ask them" not in page
    assert "Only who is responsible now, or a doctor, can hand this night over." in page
    with pytest.raises(NotNow):
        handover.offer(run.pk, doctor.pk, by=third)


def responsible_for(run: Run) -> User:
    assert run.responsible
    return run.responsible


def test_only_the_two_people_of_an_offer_can_answer_it() -> None:
    run = make_run(1)
    other = make_technician()
    technician = technician_of(run)
    assert not {"handover_accept", "handover_decline"} & controls_of(run, technician)
    handover.offer(run.pk, other.pk, by=technician)
    assert {"handover_accept", "handover_decline"} & controls_of(run, technician) == {"handover_decline"}
    assert {"handover_accept", "handover_decline"} & controls_of(run, other) == {
        "handover_accept",
        "handover_decline",
    }
    assert not {"handover_accept", "handover_decline"} & controls_of(run, doctor_of(run))


def test_after_a_takeover_the_technician_keeps_some_controls() -> None:
    configure(presence_minutes=20)
    run = make_run(1)
    technician = technician_of(run)
    assert "presence" not in controls_of(run, technician)
    leave_unattended(run)
    presence.ask_due()
    handover.take_over(run.pk, by=doctor_of(run))
    assert controls_of(run, technician) == {"pause", "safe_word", "presence", "here", "doctor"}
    assert presence.answer(run.pk, by=technician).changed
    assert control.call_doctor(run.pk, by=technician).changed
    with pytest.raises(NotNow, match="has taken over"):
        control.pause(run.pk, by=technician, why=Run.Why.ABORT)
    assert control.pause(run.pk, by=technician).changed
    assert control.safe_word(run.pk, by=technician).changed


def test_a_stopping_run_cannot_be_changed() -> None:
    run = make_run(1)
    technician, doctor, other = technician_of(run), doctor_of(run), make_technician()
    control.abort(run.pk, by=doctor, reason="medical")
    memory = run.steps.get().memory_id
    for action in (
        lambda: control.protect(run.pk, memory, by=technician),
        lambda: control.pause(run.pk, by=technician),
        lambda: handover.offer(run.pk, other.pk, by=technician),
        lambda: handover.take_over(run.pk, by=doctor),
        lambda: handover.hand_back(run.pk, by=doctor),
        lambda: presence.answer(run.pk, by=technician),
    ):
        with pytest.raises(NotNow, match="being stopped"):
            action()
    assert control.call_doctor(run.pk, by=technician).changed
    book_elsewhere(technician, run, doctor)
