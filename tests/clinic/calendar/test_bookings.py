"""Who gets a quarter of an hour: one, whoever races whom."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from django.db import IntegrityError, connection, connections, transaction

from clinic.accounts.models import User
from clinic.calendar import bookings
from clinic.calendar.bookings import Clash, Stale, book, cancel, clashes, move
from clinic.calendar.models import Booking, Reservation, Resource, quarters
from tests.factories import make_room, make_user
from tests.house import until

EIGHT = datetime(2030, 2, 13, 20, tzinfo=UTC)
HOUR = timedelta(hours=1)


def booked(
    resources: list[Resource], start: datetime = EIGHT, hours: float = 8, by: User | None = None
) -> Booking:
    return book(
        kind=Booking.Kind.ERASURE,
        resources=resources,
        starts_at=start,
        ends_at=start + hours * HOUR,
        by=by or make_user(),
    )


@pytest.mark.django_db
def test_the_database_itself_refuses_a_quarter_taken_twice() -> None:
    room = make_room()
    first = booked([room], hours=1)
    other = booked([make_room()], hours=1)
    with pytest.raises(IntegrityError), transaction.atomic():
        Reservation.objects.create(resource=room, quarter=EIGHT, booking=other)
    assert first.reservations.count() == 4


@pytest.mark.django_db
def test_a_clash_names_who_and_until_when_and_nothing_is_booked() -> None:
    room, free = make_room(), make_room()
    booked([room])
    with pytest.raises(Clash) as refusal:
        booked([free, room], EIGHT + 7 * HOUR)
    assert refusal.value.sentences() == [f"{room.label} is taken from 13 Feb, 15:00 to 13 Feb, 23:00."]
    assert Booking.objects.count() == 1
    assert not Reservation.objects.filter(resource=free).exists()


@pytest.mark.django_db
def test_one_may_begin_when_the_other_ends() -> None:
    room = make_room()
    booked([room], hours=2)
    booked([room], EIGHT + 2 * HOUR, hours=2)
    assert Reservation.objects.filter(resource=room).count() == 16


@pytest.mark.django_db
def test_a_booking_moves_within_its_own_hours_and_gives_back_the_rest() -> None:
    room = make_room()
    booking = booked([room], hours=2)
    moved = move(booking, starts_at=EIGHT + HOUR, ends_at=EIGHT + 3 * HOUR, expected_start=EIGHT)
    assert moved.starts_at == EIGHT + HOUR
    held = set(Reservation.objects.filter(resource=room).values_list("quarter", flat=True))
    assert held == set(quarters(EIGHT + HOUR, EIGHT + 3 * HOUR))


@pytest.mark.django_db
def test_a_move_that_clashes_changes_nothing() -> None:
    room = make_room()
    booking = booked([room], hours=2)
    booked([room], EIGHT + 3 * HOUR, hours=2)
    with pytest.raises(Clash):
        move(booking, starts_at=EIGHT + 2 * HOUR, ends_at=EIGHT + 4 * HOUR, expected_start=EIGHT)
    booking.refresh_from_db()
    assert booking.starts_at == EIGHT
    assert set(booking.reservations.values_list("quarter", flat=True)) == set(
        quarters(EIGHT, EIGHT + 2 * HOUR)
    )


@pytest.mark.django_db
@pytest.mark.parametrize("gone", [False, True])
def test_a_stale_move_is_refused_and_says_what_changed(gone: bool) -> None:
    booking = booked([make_room()], hours=2)
    if gone:
        cancel(booking)
    else:
        move(booking, starts_at=EIGHT + HOUR, ends_at=EIGHT + 3 * HOUR, expected_start=EIGHT)
    with pytest.raises(Stale) as refusal:
        move(booking, starts_at=EIGHT + 4 * HOUR, ends_at=EIGHT + 5 * HOUR, expected_start=EIGHT)
    assert str(refusal.value) == (
        "Somebody gave it back meanwhile."
        if gone
        else "Somebody changed it meanwhile: it is from 13 Feb, 16:00 to 13 Feb, 18:00 now."
    )


@pytest.mark.django_db
def test_what_is_given_back_can_be_taken() -> None:
    room = make_room()
    cancel(booked([room]))
    assert clashes([room], EIGHT, EIGHT + HOUR) == []
    booked([room])


@pytest.mark.django_db
def test_a_span_needs_length() -> None:
    with pytest.raises(ValueError, match="after the start"):
        booked([make_room()], hours=0)


NEW_YORK = ZoneInfo("America/New_York")


@pytest.mark.parametrize(("day", "hours"), [(7, 9), (8, 10)])
def test_quarters_are_those_that_really_pass(day: int, hours: int) -> None:
    """20:00 to 06:00 is nine hours in the night of 7 March 2026, when the clocks go forward."""
    start = datetime(2026, 3, day, 20, tzinfo=NEW_YORK)
    end = datetime(2026, 3, day + 1, 6, tzinfo=NEW_YORK)
    assert len(list(quarters(start, end))) == 4 * hours


@pytest.mark.django_db
def test_from_the_first_to_the_second_half_past_one_is_an_hour() -> None:
    """1 November 2026: the clocks show 01:30 twice."""
    first = datetime(2026, 11, 1, 1, 30, tzinfo=NEW_YORK)
    room = make_room()
    book(
        kind=Booking.Kind.VISIT,
        resources=[room],
        starts_at=first,
        ends_at=first.replace(fold=1),
        by=make_user(),
    )
    assert Reservation.objects.filter(resource=room).count() == 4


@pytest.mark.django_db(transaction=True)
def test_fifty_at_once_and_one_gets_it() -> None:
    """S1: by constraint, with a connection each."""
    room, person = make_room(), make_user()
    workers = 50 if connection.vendor == "postgresql" else 20
    rounds = 50 // workers + (50 % workers > 0)
    won: list[bool] = []
    said: set[str] = set()

    def attempt(barrier: Barrier) -> bool:
        try:
            barrier.wait(timeout=60)
            with transaction.atomic():
                booked([room], by=person)
        except Clash as clash:
            said.add(str(clash))
            return False
        finally:
            connections.close_all()
        return True

    for _round in range(rounds):
        barrier = Barrier(workers)
        with ThreadPoolExecutor(workers) as pool:
            won += list(pool.map(attempt, [barrier] * workers))
    assert len(won) >= 50
    assert sum(won) == 1
    assert said == {f"{room.label} is taken from 13 Feb, 15:00 to 13 Feb, 23:00."}
    assert Booking.objects.count() == 1
    assert Reservation.objects.filter(resource=room).count() == 32


@pytest.mark.django_db(transaction=True)
def test_two_that_swap_hours_do_not_wait_for_each_other_for_ever() -> None:
    room, person = make_room(), make_user()
    early, late = booked([room], by=person), booked([room], EIGHT + 8 * HOUR, by=person)
    barrier = Barrier(2)

    def swap(booking: Booking, start: datetime) -> str:
        try:
            barrier.wait(timeout=30)
            with transaction.atomic():
                move(booking, starts_at=start, ends_at=start + 8 * HOUR, expected_start=booking.starts_at)
        except Clash:
            return "clash"
        finally:
            connections.close_all()
        return "moved"

    with ThreadPoolExecutor(2) as pool:
        out = list(pool.map(swap, [early, late], [late.starts_at, early.starts_at]))
    assert out == ["clash", "clash"]
    assert Reservation.objects.filter(resource=room).count() == 64


@pytest.mark.django_db(transaction=True)
def test_two_that_want_the_same_in_opposite_order_never_wait_in_a_ring() -> None:
    resources, person = [make_room() for _ in range(4)], make_user()
    barrier = Barrier(2)

    def attempt(wanted: list[Resource], start: datetime) -> str:
        try:
            barrier.wait(timeout=60)
            with transaction.atomic():
                booked(wanted, start, by=person)
        except Clash:
            return "clash"
        finally:
            connections.close_all()
        return "booked"

    for night in range(8):
        start = EIGHT + 24 * night * HOUR
        with ThreadPoolExecutor(2) as pool:
            out = list(pool.map(attempt, [resources, resources[::-1]], [start, start]))
        assert sorted(out) == ["booked", "clash"]


def somebody_waits() -> bool:
    """Whether a connection to this database waits for a lock."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        return bool(cursor.fetchone()[0])


on_postgresql = pytest.mark.skipif(
    "not __import__('django.db').db.connection.vendor == 'postgresql'", reason="PostgreSQL"
)


@on_postgresql
@pytest.mark.django_db(transaction=True)
def test_quarters_are_taken_by_the_ids_of_their_resources() -> None:
    """A booking that waits for a quarter of the first room has taken none of the others yet."""
    rooms = [Resource.objects.create(pk=UUID(int=n), kind="room", label=f"Room {n}") for n in (3, 2, 1)]
    person = make_user()
    mine, other = (booked([make_room()], hours=1, by=person) for _ in range(2))

    def reserve() -> bool:
        try:
            with transaction.atomic():
                bookings._reserve(other, rooms)
        except Clash:
            return False
        finally:
            connections.close_all()
        return True

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            Reservation.objects.create(resource=rooms[2], quarter=EIGHT, booking=mine)
            waiting = pool.submit(reserve)
            until(lambda: somebody_waits() or waiting.done(), "it waits for the first quarter")
            Reservation.objects.create(resource=rooms[0], quarter=EIGHT, booking=mine)
        assert waiting.result(timeout=60) is False
    assert not Reservation.objects.filter(booking=other, resource__in=rooms).exists()


@on_postgresql
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("deed", ["book", "move"])
def test_resources_are_locked_by_their_ids_whatever_order_they_lie_in(deed: str) -> None:
    """Who waits for the first holds no other. The rows lie in the table the other way round."""
    rooms = [Resource.objects.create(pk=UUID(int=n), kind="room", label=f"Room {n}") for n in (3, 2, 1)]
    person, there = make_user(), None
    if deed == "move":
        there = booked(rooms, by=person)

    def wait_for_the_first() -> None:
        try:
            with transaction.atomic():
                if there is None:
                    booked(rooms, by=person)
                else:
                    end = EIGHT + 2 * HOUR
                    move(there, starts_at=EIGHT + HOUR, ends_at=end, expected_start=EIGHT)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            # What a new reservation needs of the room's row it would get beside this lock.
            Resource.objects.select_for_update(no_key=True).get(pk=UUID(int=1))
            waiting = pool.submit(wait_for_the_first)
            until(lambda: somebody_waits() or waiting.done(), "it waits for the first room")
            assert not waiting.done()
            others = Resource.objects.select_for_update(skip_locked=True).exclude(pk=UUID(int=1))
            free = {room.pk for room in others}
        waiting.result(timeout=60)
    assert free == {UUID(int=2), UUID(int=3)}
