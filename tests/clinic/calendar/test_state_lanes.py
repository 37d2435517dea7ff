"""The day board by state: lanes, timers, and patients who could be mistaken for each other."""

import dataclasses
import re
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from clinic.accounts.models import Role, User
from clinic.calendar import board as board_module
from clinic.calendar.board import BoardSource, BookingLabel, board_of, register_board_source
from clinic.calendar.bookings import book
from clinic.calendar.look_alikes import BoardPatient, mistakable
from clinic.calendar.models import Booking
from clinic.calendar.state_lanes import Card, State, lanes_of
from erasure.procedures.missed import end_missed
from erasure.procedures.models import Procedure
from erasure.runs.models import Run
from erasure.runs.planning import start_run
from tests.factories import (
    make_case,
    make_keepsake,
    make_memory,
    make_procedure,
    make_room,
    make_run,
    make_user,
    shift_hours,
)

AT = datetime(2030, 2, 13, 20, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def make_card(state: str, *, now: datetime, since: datetime | None = None) -> Card:
    return Card("1", "Joel B.", "Visit", "", "Room 1", state, AT, AT + timedelta(hours=1), now, since)


def timers_of(card: Card) -> list[tuple[str, bool]]:
    return [(timer.words, timer.amber) for timer in card.timers]


@pytest.mark.parametrize(
    ("state", "minutes", "since", "lane", "timers"),
    [
        ("expected", -10, None, State.EXPECTED, []),
        ("expected", 4, None, State.EXPECTED, []),
        ("expected", 25, None, State.OVERDUE, [("25 min late", True)]),
        ("arrived", -5, -15, State.ARRIVED, [("waiting for 10 min", False)]),
        ("arrived", 10, -15, State.ARRIVED, [("waiting for 25 min", False), ("10 min late", True)]),
        ("arrived", 1, None, State.ARRIVED, []),
        ("running", 50, -30, State.RUNNING, [("running for 1 h 20 min", False)]),
        ("running", 50, None, State.RUNNING, [("running for 50 min", False)]),
        (
            "running",
            75,
            None,
            State.RUNNING,
            [("running for 1 h 15 min", False), ("15 min over its hours", True)],
        ),
        ("done", 90, None, State.DONE, []),
        ("missed", 90, None, State.OVERDUE, []),
    ],
)
def test_a_card_is_in_its_lane_and_says_how_long(
    state: str, minutes: int, since: int | None, lane: State, timers: list[tuple[str, bool]]
) -> None:
    began = None if since is None else AT + since * MINUTE
    card = make_card(state, now=AT + minutes * MINUTE, since=began)
    assert (card.lane, timers_of(card), card.missed) == (lane, timers, state == "missed")
    assert [one.state for one in lanes_of([card]) if one.cards] == [lane]
    assert [str(one.state) for one in lanes_of([])] == ["expected", "arrived", "running", "overdue", "done"]


def patients(*names: str) -> list[BoardPatient]:
    """Patients with the file numbers 1, 2, ... A name with a star has the family name first."""
    return [BoardPatient(name.strip("*"), str(i), "*" in name) for i, name in enumerate(names, 1)]


@pytest.mark.parametrize(
    ("names", "alike"),
    [
        (("Joel Barish", "Jane Barish"), {"1", "2"}),
        (("Joel Barish", "Joel Barish"), {"1", "2"}),
        (("Joël Barish", "joel  barish", "Rob Eakin"), {"1", "2"}),
        (("Joel Barish", "Anna Barish"), set()),
        (("Joel Barish", "Joel Eakin"), set()),
        (("Nguyễn Văn Ánh*", "Nguyễn Thị An*"), {"1", "2"}),
        (("Nguyễn Văn Ánh*", "Trần Văn Ánh*"), set()),
        (("Cher", "Cher", "Prince"), {"1", "2"}),
    ],
)
def test_which_patients_could_be_mistaken_for_each_other(names: tuple[str, ...], alike: set[str]) -> None:
    assert mistakable(patients(*names)) == alike


def test_a_patient_with_two_bookings_is_not_their_own_look_alike() -> None:
    assert mistakable([*patients("Joel Barish"), *patients("Joel Barish")]) == set()


def make_named_run(name: str) -> Run:
    return make_run(1, case=make_case(make_user(Role.PATIENT, name=name)))


@pytest.mark.django_db
@pytest.mark.parametrize("by_state", [False, True])
def test_the_board_shows_the_file_number_of_look_alikes_wherever_they_are(*, by_state: bool) -> None:
    joel, jane, rob = (make_named_run(name) for name in ("Joel Barish", "Jane Barish", "Rob Eakin"))
    doctor = make_user(Role.DOCTOR)
    board = board_of(timezone.localdate(), doctor, by_state=by_state)
    numbers = [run.procedure.case.reference for run in (joel, jane)]
    expected = {f"Joel B., {numbers[0]}", f"Jane B., {numbers[1]}", "Rob E."}
    assert {night.name for night in board.progress} == expected
    bars = [bar.label.who for block in board.blocks for row in block.rows for bar in row.bars]
    assert {*bars, *(card.who for lane in board.lanes for card in lane.cards)} == expected
    assert (bool(board.blocks), bool(board.lanes)) == (not by_state, by_state)
    booking = rob.procedure.booking_id
    technician = User.objects.get(resources__bookings=booking, resources__kind="technician")
    alone = board_of(timezone.localdate(), technician)
    assert {night.name for night in alone.progress} == {"Rob E."}, "nobody else is on this board"


def lanes(viewer: User) -> dict[str, list[str]]:
    board = board_of(timezone.localdate(), viewer, by_state=True)
    return {str(lane.state): [card.who for card in lane.cards] for lane in board.lanes if lane.cards}


def make_night(name: str) -> Procedure:
    case = make_case(make_user(Role.PATIENT, name=name))
    make_keepsake(make_memory(case))
    return make_procedure(case)


@pytest.mark.django_db
def test_nights_go_through_the_lanes() -> None:
    doctor = make_user(Role.DOCTOR)
    procedure = make_night("Joel Barish")
    shift_hours(procedure, 2 * MINUTE)
    assert lanes(doctor) == {"expected": ["Joel B."]}
    shift_hours(procedure, -30 * MINUTE)
    assert lanes(doctor) == {"overdue": ["Joel B."]}
    run = start_run(procedure.pk, by=None)
    assert lanes(doctor) == {"running": ["Joel B."]}
    Run.objects.filter(pk=run.pk).update(state="finished", outcome="complete", finished_at=timezone.now())
    assert lanes(doctor) == {"done": ["Joel B."]}
    assert not board_of(timezone.localdate(), doctor).under_way


@pytest.mark.django_db
def test_a_missed_night_stays_among_what_is_overdue_and_takes_no_place() -> None:
    doctor = make_user(Role.DOCTOR)
    procedure = make_night("Joel Barish")
    shift_hours(procedure, timedelta(hours=-8, minutes=-1))
    for ended in (False, True):
        if ended:
            assert end_missed() == 1
        board = board_of(timezone.localdate(), doctor, by_state=True)
        cards = [card for lane in board.lanes if lane.state == State.OVERDUE for card in lane.cards]
        assert [(card.who, card.missed) for card in cards] == [("Joel B.", True)]
    blocks = board_of(timezone.localdate(), doctor).blocks
    assert [bar for block in blocks for row in block.rows for bar in row.bars] == []


@pytest.mark.django_db
def test_a_booking_without_a_label_has_the_state_of_its_hours() -> None:
    now = timezone.localtime().replace(hour=12)  # so that all three are on one day
    for begins in (-90, -30, 30):
        start = now + begins * MINUTE
        hours = {"starts_at": start, "ends_at": start + 60 * MINUTE}
        book(kind=Booking.Kind.VISIT, resources=[make_room()], by=make_user(), **hours)
    board = board_of(timezone.localdate(now), make_user(Role.DOCTOR), now=now, by_state=True)
    assert {str(lane.state): len(lane.cards) for lane in board.lanes if lane.cards} == {
        "expected": 1,
        "running": 1,
        "done": 1,
    }


@pytest.mark.django_db
def test_a_label_says_its_state_and_since_when(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(board_module, "_sources", {})
    now = timezone.now()
    booking = book(
        kind=Booking.Kind.VISIT,
        resources=[make_room()],
        starts_at=now - 10 * MINUTE,
        ends_at=now + 50 * MINUTE,
        by=make_user(),
    )
    label = BookingLabel("Joel B.", "Visit", state="arrived", since=now - 20 * MINUTE)
    register_board_source(
        "visits", BoardSource(describe_bookings=lambda bookings, _viewer: {booking.pk: label})
    )
    board = board_of(timezone.localdate(now), make_user(), now=now, by_state=True)
    (lane,) = [lane for lane in board.lanes if lane.cards]
    assert lane.state == State.ARRIVED
    assert timers_of(lane.cards[0]) == [("waiting for 20 min", False), ("10 min late", True)]
    assert dataclasses.replace(lane.cards[0], state="expected").lane == State.OVERDUE


@pytest.mark.django_db
def test_the_url_chooses_the_board_by_state_or_by_place_and_lateness_is_in_words(client: Client) -> None:
    procedure = make_night("Joel Barish")
    shift_hours(procedure, -25 * MINUTE)
    client.force_login(make_user(Role.DOCTOR))
    page = client.get("/today/?by=state").content.decode()
    day = timezone.localdate()
    assert re.search(r'href="\?by=state"\s+aria-current="true">By state', page)
    assert f'?day={day - timedelta(days=1)}&amp;by=state" rel="prev"' in page
    assert 'hx-get="/today/?by=state"' in page
    assert re.search(r'data-since="[^"]+"\s+data-pattern="{time} late">25 min late<', page)
    assert "board-scale" not in page
    place = client.get(f"/today/?day={day}&by=weather").content.decode()
    assert f'hx-get="/today/?day={day}"' in place
    dated = client.get(f"/today/?day={day}&by=state").content.decode()
    assert f'hx-get="/today/?day={day}&amp;by=state"' in dated
    assert re.search(r'aria-current="true">By place', place)
    assert "board-scale" in place
    assert 'class="lanes"' not in place


@pytest.mark.django_db
def test_the_board_by_state_takes_the_same_queries_for_one_night_and_for_three() -> None:
    doctor, counts = make_user(Role.DOCTOR), []
    assert doctor.roles  # read once for each request
    for name in ("Joel Barish", "Jane Barish", "Rob Eakin"):
        make_named_run(name)
        with CaptureQueriesContext(connection) as queries:
            board_of(timezone.localdate(), doctor, by_state=True)
        counts.append(len(queries))
    assert counts[0] == counts[-1]
    with CaptureQueriesContext(connection) as queries:
        board_of(timezone.localdate(), doctor)
    assert len(queries) in {counts[0], counts[0] + 1}, "by place it also asks for the places that are free"
