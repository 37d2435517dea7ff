"""The day board: where bookings are drawn, also on days and nights when the clocks change."""

from datetime import UTC, date, datetime, time, timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from clinic.accounts.models import Role, User
from clinic.calendar.board import Block, at_clock, blocks_of, day_or_today, resource_blocks
from clinic.calendar.bookings import book
from clinic.calendar.models import Booking, Resource
from erasure.procedures.models import Procedure
from erasure.runs.models import DoctorCall, Hold, Run
from patients.consent.models import Signature
from tests.factories import (
    make_case,
    make_keepsake,
    make_memory,
    make_procedure,
    make_request,
    make_room,
    make_run,
    make_signed,
    make_user,
)

DAY = date(2030, 2, 13)


def make_booking(
    resource: Resource, start: datetime, hours: float, kind: str = Booking.Kind.VISIT, *more: Resource
) -> Booking:
    return book(
        kind=kind,
        resources=[resource, *more],
        starts_at=start,
        ends_at=start + timedelta(hours=hours),
        by=make_user(),
    )


def blocks(day: date, viewer: User | None = None) -> dict[str, Block]:
    viewer = viewer or make_user(Role.DOCTOR)
    return {block.key: block for block in blocks_of(day, viewer, timezone.now())}


def bars(block: Block) -> list[tuple[str, int, int]]:
    return [(row.resource.label, bar.offset, bar.length) for row in block.rows for bar in row.bars]


@pytest.mark.django_db
def test_a_visit_is_drawn_at_its_quarter_hour_and_a_free_room_has_a_row() -> None:
    room, free = make_room(), make_room()
    make_booking(room, at_clock(DAY, time(9, 30)), 1.25)
    day = blocks(DAY)["day"]
    assert bars(day) == [(room.label, 6, 5)]
    assert {row.resource.label for row in day.rows} == {room.label, free.label}
    assert day.hours == ["08", "09", "10", "11", "12", "13", "14", "15", "16", "17", "18", "19"]


@pytest.mark.django_db
def test_a_night_across_midnight_is_on_both_days() -> None:
    room = make_room()
    make_booking(room, at_clock(DAY, time(22)), 6, Booking.Kind.ERASURE)
    evening, morning = blocks(DAY), blocks(DAY + timedelta(days=1))
    assert bars(evening["night"]) == [(room.label, 8, 24)]
    assert "before" not in evening
    assert bars(morning["before"]) == [(room.label, 8, 24)]
    assert bars(morning["night"]) == []


@pytest.mark.django_db
def test_an_evening_that_ends_before_midnight_is_not_on_the_next_day() -> None:
    make_booking(make_room(), at_clock(DAY, time(20)), 4)
    assert "before" not in blocks(DAY + timedelta(days=1))


@pytest.mark.django_db
def test_a_booking_across_two_blocks_is_split_between_them() -> None:
    room = make_room()
    make_booking(room, at_clock(DAY, time(19)), 3)
    found = blocks(DAY)
    assert bars(found["day"]) == [(room.label, 44, 4)]
    assert bars(found["night"]) == [(room.label, 0, 8)]


@pytest.mark.django_db
def test_the_first_bar_of_a_booking_is_no_repetition_and_all_bars_show_its_end() -> None:
    room = make_room()
    make_booking(room, at_clock(DAY, time(19)), 26, Booking.Kind.ERASURE)
    today, tomorrow = blocks(DAY), blocks(DAY + timedelta(days=1))
    drawn = [
        [(bar.continued, bar.until) for row in found[key].rows for bar in row.bars]
        for found in (today, tomorrow)
        for key in ("day", "night")
    ]
    assert drawn == [[(False, "21:00")], [(True, "21:00")], [(True, "21:00")], [(True, "21:00")]]
    (before,) = [bar for row in tomorrow["before"].rows for bar in row.bars]
    assert not before.continued


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("day", "quarters", "hours", "at"),
    [
        # the clocks go forward: there is no hour 02, and 03:00 is six hours after 20:00
        (date(2026, 3, 7), 44, "20 21 22 23 00 01 03 04 05 06 07", 24),
        # they go back: hour 01 comes twice, and 03:00 is eight hours after 20:00
        (date(2026, 10, 31), 52, "20 21 22 23 00 01 01 02 03 04 05 06 07", 32),
        (date(2026, 6, 1), 48, "20 21 22 23 00 01 02 03 04 05 06 07", 28),
    ],
)
def test_a_night_has_as_many_hours_as_pass_when_the_clocks_change(
    day: date, quarters: int, hours: str, at: int
) -> None:
    room = make_room()
    make_booking(room, at_clock(day + timedelta(days=1), time(3)), 1)
    night = blocks(day)["night"]
    assert night.span.quarters == quarters
    assert night.hours == hours.split()
    assert bars(night) == [(room.label, at, 4)]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("clock", "day", "night"),
    [
        (time(7, 59), None, None),
        (time(9, 31), 6, None),
        (time(20), None, 0),
        (time(22, 41), None, 10),
    ],
)
def test_the_current_time_is_drawn_in_one_block_only(clock: time, day: int | None, night: int | None) -> None:
    viewer = make_user(Role.DOCTOR)
    now = at_clock(DAY, clock)
    at = {block.key: block.now_at for block in blocks_of(DAY, viewer, now)}
    assert at == {"day": day, "night": night}


@pytest.mark.django_db
def test_a_person_booked_without_a_room_has_a_row() -> None:
    doctor = make_user(Role.DOCTOR, name="Howard Mierzwiak")
    person = Resource.objects.create(kind=Resource.Kind.DOCTOR, label=doctor.name, user=doctor)
    room = make_room()
    make_booking(person, at_clock(DAY, time(9)), 1)
    make_booking(room, at_clock(DAY, time(11)), 1, Booking.Kind.VISIT, person)
    rows = {row.resource.label: (len(row.bars), row.people) for row in blocks(DAY)["day"].rows}
    assert rows == {room.label: (1, "Howard M."), "Howard Mierzwiak": (1, "")}


@pytest.mark.django_db
def test_taken_times_are_shown_for_each_chosen_resource() -> None:
    room, other = make_room(), make_room()
    make_booking(room, at_clock(DAY, time(21)), 2, Booking.Kind.ERASURE, other)
    day, night = resource_blocks(DAY, [other], make_user(Role.DOCTOR))
    assert bars(day) == []
    assert bars(night) == [(other.label, 4, 8)]


@pytest.mark.parametrize("text", ["", "tomorrow", "2026-02-30", "0001-01-01", "9999-12-31", "20x", "\0"])
def test_an_invalid_date_counts_as_today(text: str) -> None:
    assert day_or_today(text) == timezone.localdate()


@pytest.mark.django_db
@pytest.mark.parametrize("text", ["2026-02-30", "0001-01-01", "9999-12-31", "-1", "%00"])
def test_the_page_accepts_any_text_as_a_date(client: Client, text: str) -> None:
    client.force_login(make_user(Role.RECEPTIONIST))
    assert client.get(f"/today/?day={text}").status_code == 200


def page(client: Client, *roles: str, url: str = "/today/", **headers: str) -> str:
    client.force_login(make_user(*(roles or (Role.DOCTOR,))))
    answer = client.get(url, headers=headers)
    assert answer.status_code == 200
    return answer.content.decode()


@pytest.mark.django_db
def test_a_booking_without_a_valid_consent_is_shown_as_held(client: Client) -> None:
    case = make_case(make_user(Role.PATIENT, name="Dora Park"))
    make_keepsake(make_memory(case))
    procedure = make_procedure(case)
    fine = page(client)
    assert "booking--night" in fine
    assert "Held, consent" not in fine
    Signature.objects.filter(pk=procedure.consent_id).update(superseded_at=timezone.now())
    held = page(client)
    assert "Held, consent unsigned" in held
    assert "Tonight is held: consent unsigned." in held
    assert "booking--held at-" in held


@pytest.mark.django_db
def test_sessions_in_progress_show_state_count_and_map(client: Client) -> None:
    run = make_run(memories=3, pace=3600)
    shown = page(client)
    assert "0 of 3, 3 h 0 min left" in " ".join(shown.split())
    assert reverse("erasure:session", args=[run.pk]) in shown
    assert 'viewBox="0 0 620 182"' in shown
    Run.objects.filter(pk=run.pk).update(state=Run.State.PAUSED, held_at=timezone.now())
    assert "Paused" in page(client)


@pytest.mark.django_db
def test_a_run_with_a_copy_off_the_map_comes_first_as_an_alarm(client: Client) -> None:
    make_run(memories=1)
    run = make_run(memories=1)
    step = run.steps.get()
    childhood = make_memory(run.procedure.case, "The swing", "1975-01-01", zone="childhood")
    copy = make_keepsake(childhood)
    Hold.objects.create(step=step, keepsake=step.memory.keepsakes.get(), copy=copy, distance=3)
    DoctorCall.objects.create(run=run, called_at=at_clock(timezone.localdate(), time(22, 38)))
    text = " ".join(page(client).split())
    assert "Off the map" in text
    assert "A copy of [1] is in childhood, doctor called 22:38" in text
    assert text.index("chart--alarm") < text.rindex('class="chart"')


@pytest.mark.django_db
def test_waiting_cases_and_requests_are_listed(client: Client) -> None:
    waiting = make_case(make_user(Role.PATIENT, name="Lara Fontaine"))
    keepsake = make_keepsake(make_memory(waiting))
    keepsake.review = "waiting"
    keepsake.save()
    locked = make_case(make_user(Role.PATIENT, name="Amelie Moreau"))
    make_keepsake(make_memory(locked))
    make_signed(locked)
    make_request("K. Osei")
    text = " ".join(page(client, Role.RECEPTIONIST).split())
    for words in (
        "Lara F.</a> <p>1 keepsake waits for review.</p>",
        "Amelie M.</a> <p>Consent given, no night booked.</p>",
        "Front desk</a> <p>1 request waits for an answer.</p>",
    ):
        assert words in text


@pytest.mark.django_db
def test_z9_staff_see_no_details_of_their_own_procedure(client: Client) -> None:
    """A doctor who is a patient sees that the time is booked, but neither name nor link."""
    own = make_user(Role.DOCTOR, Role.PATIENT, name="Mary Svevo")
    case = make_case(own)
    make_keepsake(make_memory(case))
    make_procedure(case)
    client.force_login(own)
    shown = client.get("/today/").content.decode()
    main = shown[shown.index("<main") :]
    assert "Erasure" in main
    assert "Mary S." not in main
    assert str(case.pk) not in main
    assert "Mary S." in page(client)


@pytest.mark.django_db
def test_the_public_screen_shows_initials_and_no_name(client: Client) -> None:
    case = make_case(make_user(Role.PATIENT, name="Joel Barish"))
    make_run(memories=1, case=case)
    other = make_case(make_user(Role.PATIENT, name="Dora Park"))
    make_keepsake(make_memory(other))
    make_procedure(other)
    shown = page(client, url="/today/wall/")
    assert "J. B." in shown
    assert "D. P." in shown
    for name in ("Joel", "Barish", "Dora", "Park", str(case.pk), "Clementine"):
        assert name not in shown


@pytest.mark.django_db
@pytest.mark.parametrize("url", ["/today/", "/today/wall/"])
def test_a_poll_gets_only_the_fragment(client: Client, url: str) -> None:
    whole = page(client, url=url)
    part = page(client, url=url, **{"HX-Request": "true", "poll": "true"})
    assert "<html" in whole
    assert "<html" not in part
    assert part.lstrip().startswith("<div id=")
    assert 'hx-trigger="every 30s"' in part
    assert """hx-headers='{"poll": "true"}'""" in part


@pytest.mark.django_db
@pytest.mark.parametrize("url", ["/today/", "/today/wall/"])
@pytest.mark.parametrize("header", ["HX-Boosted", "HX-History-Restore-Request"])
def test_boosted_links_and_history_restores_get_the_whole_page(client: Client, url: str, header: str) -> None:
    assert "<html" in page(client, url=url, **{"HX-Request": "true", header: "true"})


@pytest.mark.django_db
@pytest.mark.parametrize("url", ["/today/", "/today/wall/"])
def test_three_bookings_take_as_many_queries_as_one(client: Client, url: str) -> None:
    def make_all() -> None:
        make_run(memories=1)
        case = make_case()
        make_keepsake(make_memory(case))
        make_procedure(case)
        make_keepsake(make_memory(make_case()))
        make_booking(make_room(), timezone.now(), 1)

    client.force_login(make_user(Role.DOCTOR))
    client.get(url)  # the first request of a connection makes a few more queries
    counts = []
    for more in (1, 2):
        for _time in range(more):
            make_all()
        with CaptureQueriesContext(connection) as queries:
            assert client.get(url).status_code == 200
        counts.append(len(queries))
    assert counts[0] == counts[1]


@pytest.mark.django_db
def test_links_lead_to_the_day_before_and_after(client: Client) -> None:
    shown = page(client, url="/today/?day=2004-02-13")
    assert "Friday 13 February 2004" in shown
    assert '<a href="?day=2004-02-12" rel="prev">Thursday</a>' in shown
    assert '<a href="?day=2004-02-14" rel="next">Saturday</a>' in shown
    assert 'hx-get="/today/?day=2004-02-13"' in shown
    assert "In progress" in shown


@pytest.mark.django_db
def test_times_are_in_the_time_zone_of_the_clinic() -> None:
    assert at_clock(date(2026, 1, 5), time(20)) == datetime(2026, 1, 6, 1, tzinfo=UTC)
    assert at_clock(date(2026, 7, 5), time(20)) == datetime(2026, 7, 6, 0, tzinfo=UTC)


@pytest.mark.django_db
def test_a_canceled_procedure_is_not_drawn(client: Client) -> None:
    case = make_case()
    make_keepsake(make_memory(case))
    procedure = make_procedure(case)
    Procedure.objects.filter(pk=procedure.pk).update(state=Procedure.State.CANCELED)
    Booking.objects.filter(pk=procedure.booking_id).update(canceled_at=timezone.now())
    main = page(client).split("<main")[1].split("board-legend")[0]
    # Bars have a class such as "at-12", and so has the line of the current time.
    assert "at-" not in main.replace("board-line at-", "")
