"""Each quarter of an hour of a resource can be booked once, also by concurrent transactions."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from math import ceil
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
from tests.processes import until

EIGHT = datetime(2030, 2, 13, 20, tzinfo=UTC)  # in the evening, in UTC
HOUR = timedelta(hours=1)


def make_booking(
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
def test_the_database_refuses_a_second_reservation_of_a_quarter_hour() -> None:
    room = make_room()
    first = make_booking([room], hours=1)
    other = make_booking([make_room()], hours=1)
    with pytest.raises(IntegrityError), transaction.atomic():
        Reservation.objects.create(resource=room, quarter=EIGHT, booking=other)
    assert first.reservations.count() == 4


@pytest.mark.django_db
def test_a_clash_names_the_resource_and_the_times_and_books_nothing() -> None:
    room, free = make_room(), make_room()
    make_booking([room])
    with pytest.raises(Clash) as refusal:
        make_booking([free, room], EIGHT + 7 * HOUR)
    assert refusal.value.sentences() == [f"{room.label} is taken from 13 Feb, 15:00 to 13 Feb, 23:00."]
    assert Booking.objects.count() == 1
    assert not Reservation.objects.filter(resource=free).exists()


@pytest.mark.django_db
def test_a_booking_may_begin_when_another_ends() -> None:
    room = make_room()
    make_booking([room], hours=2)
    make_booking([room], EIGHT + 2 * HOUR, hours=2)
    assert Reservation.objects.filter(resource=room).count() == 16


@pytest.mark.django_db
def test_a_booking_can_move_to_overlapping_hours_and_frees_the_others() -> None:
    room = make_room()
    booking = make_booking([room], hours=2)
    moved = move(booking, starts_at=EIGHT + HOUR, ends_at=EIGHT + 3 * HOUR, expected_start=EIGHT)
    assert moved.starts_at == EIGHT + HOUR
    reserved = set(Reservation.objects.filter(resource=room).values_list("quarter", flat=True))
    assert reserved == set(quarters(EIGHT + HOUR, EIGHT + 3 * HOUR))


@pytest.mark.django_db
def test_a_move_that_clashes_changes_nothing() -> None:
    room = make_room()
    booking = make_booking([room], hours=2)
    make_booking([room], EIGHT + 3 * HOUR, hours=2)
    with pytest.raises(Clash):
        move(booking, starts_at=EIGHT + 2 * HOUR, ends_at=EIGHT + 4 * HOUR, expected_start=EIGHT)
    booking.refresh_from_db()
    assert booking.starts_at == EIGHT
    assert set(booking.reservations.values_list("quarter", flat=True)) == set(
        quarters(EIGHT, EIGHT + 2 * HOUR)
    )


@pytest.mark.django_db
@pytest.mark.parametrize("canceled", [False, True])
def test_s3_a_stale_move_is_refused_and_says_what_changed(canceled: bool) -> None:
    booking = make_booking([make_room()], hours=2)
    if canceled:
        cancel(booking)
    else:
        move(booking, starts_at=EIGHT + HOUR, ends_at=EIGHT + 3 * HOUR, expected_start=EIGHT)
    with pytest.raises(Stale) as refusal:
        move(booking, starts_at=EIGHT + 4 * HOUR, ends_at=EIGHT + 5 * HOUR, expected_start=EIGHT)
    assert str(refusal.value) == (
        "Somebody gave it back meanwhile."
        if canceled
        else "Somebody changed it meanwhile: it is from 13 Feb, 16:00 to 13 Feb, 18:00 now."
    )


@pytest.mark.django_db
def test_hours_of_a_canceled_booking_are_free() -> None:
    room = make_room()
    cancel(make_booking([room]))
    assert clashes([room], EIGHT, EIGHT + HOUR) == []
    make_booking([room])


@pytest.mark.django_db
def test_a_booking_must_end_after_its_start() -> None:
    with pytest.raises(ValueError, match="after the start"):
        make_booking([make_room()], hours=0)


NEW_YORK = ZoneInfo("America/New_York")


@pytest.mark.parametrize(("day", "hours"), [(7, 9), (8, 10)])
def test_s2_quarters_are_counted_when_the_clocks_change(day: int, hours: int) -> None:
    """On 7 March 2026 the clocks go forward: from 20:00 to 06:00 are nine hours."""
    start = datetime(2026, 3, day, 20, tzinfo=NEW_YORK)
    end = datetime(2026, 3, day + 1, 6, tzinfo=NEW_YORK)
    assert len(list(quarters(start, end))) == 4 * hours


@pytest.mark.django_db
def test_s2_a_repeated_hour_of_the_clock_counts_as_an_hour() -> None:
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
def test_s1_of_fifty_clients_for_one_slot_one_wins_and_the_others_are_told_which() -> None:
    """The database's constraint decides. Each thread has its own connection."""
    room, person = make_room(), make_user()
    workers = 50 if connection.vendor == "postgresql" else 20
    rounds = ceil(50 / workers)
    won: list[bool] = []
    refusals: set[str] = set()

    def attempt(barrier: Barrier) -> bool:
        try:
            barrier.wait(timeout=60)
            with transaction.atomic():
                make_booking([room], by=person)
        except Clash as clash:
            refusals.add(str(clash))
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
    assert refusals == {f"{room.label} is taken from 13 Feb, 15:00 to 13 Feb, 23:00."}
    assert Booking.objects.count() == 1
    assert Reservation.objects.filter(resource=room).count() == 32


@pytest.mark.django_db(transaction=True)
def test_s1_fifty_clients_for_fifty_slots_all_win() -> None:
    """Slots of one room, one after the other: nobody is refused for a neighbour's sake, or loses a row."""
    room, person = make_room(), make_user()
    workers = 50 if connection.vendor == "postgresql" else 20

    def attempt(number: int) -> None:
        try:
            with transaction.atomic():
                make_booking([room], EIGHT + number * HOUR, hours=1, by=person)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(attempt, range(50)))
    starts = [EIGHT + number * HOUR for number in range(50)]
    assert list(Booking.objects.order_by("starts_at").values_list("starts_at", flat=True)) == starts
    assert Reservation.objects.filter(resource=room).count() == 200


@pytest.mark.django_db(transaction=True)
def test_two_bookings_that_swap_hours_do_not_deadlock() -> None:
    room, person = make_room(), make_user()
    early, late = make_booking([room], by=person), make_booking([room], EIGHT + 8 * HOUR, by=person)
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
        results = list(pool.map(swap, [early, late], [late.starts_at, early.starts_at]))
    assert results == ["clash", "clash"]
    assert Reservation.objects.filter(resource=room).count() == 64


@pytest.mark.django_db(transaction=True)
def test_two_bookings_of_the_same_resources_in_opposite_order_do_not_deadlock() -> None:
    resources, person = [make_room() for _ in range(4)], make_user()
    barrier = Barrier(2)

    def attempt(wanted: list[Resource], start: datetime) -> str:
        try:
            barrier.wait(timeout=60)
            with transaction.atomic():
                make_booking(wanted, start, by=person)
        except Clash:
            return "clash"
        finally:
            connections.close_all()
        return "booked"

    for night in range(8):
        start = EIGHT + 24 * night * HOUR
        with ThreadPoolExecutor(2) as pool:
            results = list(pool.map(attempt, [resources, resources[::-1]], [start, start]))
        assert sorted(results) == ["booked", "clash"]


def a_connection_waits_for_a_lock() -> bool:
    """Whether a connection to this database is waiting for a lock (PostgreSQL)."""
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
def test_quarters_are_reserved_in_the_order_of_resource_ids() -> None:
    """A booking that waits for the first room has not reserved the others yet."""
    rooms = [Resource.objects.create(pk=UUID(int=n), kind="room", label=f"Room {n}") for n in (3, 2, 1)]
    person = make_user()
    mine, other = (make_booking([make_room()], hours=1, by=person) for _ in range(2))

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
            until(lambda: a_connection_waits_for_a_lock() or waiting.done(), "it waits for the first quarter")
            Reservation.objects.create(resource=rooms[0], quarter=EIGHT, booking=mine)
        assert waiting.result(timeout=60) is False
    assert not Reservation.objects.filter(booking=other, resource__in=rooms).exists()


@on_postgresql
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("action", ["book", "move"])
def test_resources_are_locked_in_the_order_of_their_ids(action: str) -> None:
    """A booking that waits for the first row has locked no other. The rows were inserted in reverse order."""
    rooms = [Resource.objects.create(pk=UUID(int=n), kind="room", label=f"Room {n}") for n in (3, 2, 1)]
    person, booked = make_user(), None
    if action == "move":
        booked = make_booking(rooms, by=person)

    def wait_for_the_first() -> None:
        try:
            with transaction.atomic():
                if booked is None:
                    make_booking(rooms, by=person)
                else:
                    end = EIGHT + 2 * HOUR
                    move(booked, starts_at=EIGHT + HOUR, ends_at=end, expected_start=EIGHT)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            # `no_key`: this lock does not block the foreign key check of a new reservation.
            Resource.objects.select_for_update(no_key=True).get(pk=UUID(int=1))
            waiting = pool.submit(wait_for_the_first)
            until(lambda: a_connection_waits_for_a_lock() or waiting.done(), "it waits for the first room")
            assert not waiting.done()
            others = Resource.objects.select_for_update(skip_locked=True).exclude(pk=UUID(int=1))
            free = {room.pk for room in others}
        waiting.result(timeout=60)
    assert free == {UUID(int=2), UUID(int=3)}
