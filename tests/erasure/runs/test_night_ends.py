"""What is free, and what is left to do, once a night is over or being stopped."""

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
from tests.erasure.runs.nights import doctor_of, elsewhere, technician_of, unattended
from tests.erasure.session.viewing import viewer
from tests.factories import make_doctor, make_run, make_technician, make_user

pytestmark = pytest.mark.django_db(transaction=True)


def book_the_same(run: Run) -> Booking:
    """Book the people and things of a night for something else, from now on."""
    now = timezone.now()
    resources = list(run.procedure.booking.resources.all())
    by = run.procedure.booked_by
    return book(kind="visit", resources=resources, starts_at=now, ends_at=now + timedelta(hours=1), by=by)


@pytest.mark.parametrize("how", ["complete", "aborted", "withdrawn"])
def test_the_end_of_a_night_frees_its_people_and_things_at_once(how: str) -> None:
    run, other = make_run(1), make_run(1)
    with pytest.raises(Clash):
        book_the_same(run)
    if how == "complete":
        advance(run.pk)
    elif how == "aborted":
        control.abort(run.pk, by=doctor_of(run), reason="medical")
    else:
        control.stop_unconsented(run.pk)
    book_the_same(run)
    end_stopped()
    with pytest.raises(Clash):
        book_the_same(other)
    assert run.procedure.booking.resources.count() == 3, "who was booked stays known"


def test_a_release_keeps_what_was_and_happens_once() -> None:
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
    assert booking.until == first < booking.ends_at
    release(booking.pk)
    booking.refresh_from_db()
    assert booking.released_at == first


def test_a_booking_that_is_over_is_not_released_afterwards() -> None:
    booking = make_run(1).procedure.booking
    past = timezone.now() - timedelta(hours=1)
    Booking.objects.filter(pk=booking.pk).update(starts_at=past - timedelta(hours=1), ends_at=past)
    release(booking.pk)
    booking.refresh_from_db()
    assert (booking.released_at, booking.until) == (None, booking.ends_at)


def test_the_board_draws_a_night_until_it_ended_and_lists_it_apart(client: Client) -> None:
    run, other = make_run(1), make_run(1)
    advance(run.pk)
    viewer = doctor_of(run)
    board = board_of(timezone.localdate(), viewer)
    assert [night.url for night in board.under_way] == [f"/sessions/{other.pk}/"]
    assert [night.url for night in board.ended] == [f"/sessions/{run.pk}/"]
    drawn = {bar.booking.pk for block in board.blocks for row in block.rows for bar in row.bars}
    assert other.procedure.booking_id in drawn
    bars = [bar for block in board.blocks for row in block.rows for bar in row.bars]
    assert all(bar.span == 1 for bar in bars if bar.booking.pk == run.procedure.booking_id)
    client.force_login(viewer)
    page = client.get("/today/").content.decode()
    in_progress, _h2, ended = page.partition("<h2>Ended</h2>")
    assert f"/sessions/{run.pk}/" not in in_progress
    assert f"/sessions/{run.pk}/" in ended


def test_nobody_in_progress_is_said_although_a_night_has_ended(client: Client) -> None:
    run = make_run(1)
    advance(run.pk)
    client.force_login(make_user(Role.DOCTOR))
    assert "Nobody is being erased." in client.get("/today/").content.decode()


def test_a_call_of_an_ended_night_stands_with_the_ended_ones() -> None:
    run = make_run(1)
    control.call_doctor(run.pk, by=None)
    control.abort(run.pk, by=doctor_of(run), reason="medical")
    assert [night.open for night in board_of(timezone.localdate(), doctor_of(run)).progress] == [True]
    end_stopped()
    (night,) = board_of(timezone.localdate(), doctor_of(run)).progress
    assert (night.open, night.alarm, str(night.state)) == (False, True, "Doctor called")


def test_the_end_withdraws_an_offer_and_the_page_offers_nothing(client: Client) -> None:
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


def test_handing_over_is_offered_to_who_may_do_it(client: Client) -> None:
    run = make_run(1)
    third, doctor = make_technician(), make_doctor()
    booking = run.procedure.booking
    booking.resources.add(third.resources.get())
    assert "handover" in controls_of(run, technician_of_first(run))
    assert "handover" in controls_of(run, doctor)
    assert "handover" not in controls_of(run, third)
    client.force_login(third)
    page = client.get(f"/sessions/{run.pk}/handover/").content.decode()
    assert "Ask them" not in page
    assert "Only who is responsible now, or a doctor, can hand this night over." in page
    with pytest.raises(NotNow):
        handover.offer(run.pk, doctor.pk, by=third)


def technician_of_first(run: Run) -> User:
    assert run.responsible
    return run.responsible


def test_an_offer_is_answered_by_those_two_alone() -> None:
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


def test_a_takeover_leaves_the_technician_pause_safe_word_presence_and_call(
    settings: pytest.FixtureRequest,
) -> None:
    settings.LACUNA_PRESENCE_CHECK_MINUTES = 20  # type: ignore[attr-defined]
    run = make_run(1)
    technician = technician_of(run)
    assert "presence" not in controls_of(run, technician)
    unattended(run)
    presence.ask_due()
    handover.take_over(run.pk, by=doctor_of(run))
    assert controls_of(run, technician) == {"pause", "safe_word", "presence", "here", "doctor"}
    assert presence.answer(run.pk, by=technician).changed
    assert control.call_doctor(run.pk, by=technician).changed
    with pytest.raises(NotNow, match="has taken over"):
        control.pause(run.pk, by=technician, why=Run.Why.ABORT)
    assert control.pause(run.pk, by=technician).changed
    assert control.safe_word(run.pk, by=technician).changed


def test_nothing_changes_a_night_that_is_being_stopped() -> None:
    run = make_run(1)
    technician, doctor, other = technician_of(run), doctor_of(run), make_technician()
    control.abort(run.pk, by=doctor, reason="medical")
    memory = run.steps.get().memory_id
    for act in (
        lambda: control.protect(run.pk, memory, by=technician),
        lambda: control.pause(run.pk, by=technician),
        lambda: handover.offer(run.pk, other.pk, by=technician),
        lambda: handover.take_over(run.pk, by=doctor),
        lambda: handover.hand_back(run.pk, by=doctor),
        lambda: presence.answer(run.pk, by=technician),
    ):
        with pytest.raises(NotNow, match="being stopped"):
            act()
    assert control.call_doctor(run.pk, by=technician).changed
    elsewhere(technician, run, doctor)
