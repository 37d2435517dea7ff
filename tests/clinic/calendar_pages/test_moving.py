"""Bookings are moved from the calendar by the rules of their kind, or the answer says why not."""

import re
from datetime import date, time, timedelta
from html import unescape
from typing import Any
from uuid import uuid4

import pytest
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from clinic.accounts.models import Role
from clinic.audit.models import Entry
from clinic.availability.changes import change_week
from clinic.calendar.board import Span
from clinic.calendar.bookings import book
from clinic.calendar.models import Booking
from clinic.calendar_pages.forms import MoveForm
from erasure.procedures.booking import cancel_procedure
from erasure.procedures.models import Procedure
from tests.factories import make_room, make_user
from tests.nights import book_night

pytestmark = pytest.mark.django_db
DAY = date(2030, 2, 13)


@pytest.fixture
def desk(client: Client) -> Client:
    client.force_login(make_user(Role.RECEPTIONIST))
    return client


def fields(booking: Booking, **changed: str) -> dict[str, Any]:
    """The form of a page that shows the booking as it is, with these fields changed."""
    row = Booking.objects.get(pk=booking.pk)
    return {**MoveForm.data_for(Span(row.starts_at, row.ends_at), row), **changed}


def send(client: Client, booking: Booking, data: dict[str, Any]) -> HttpResponse:
    """Send the form as the script does."""
    url = reverse("calendar-move", args=[booking.pk])
    return client.post(url, data, headers={"Accept": "application/json"})


def span_of(booking: Booking) -> str:
    row = Booking.objects.get(pk=booking.pk)
    start, end = timezone.localtime(row.starts_at), timezone.localtime(row.ends_at)
    return f"{start:%d %H:%M}-{end:%d %H:%M}"


def test_a_night_moves_is_audited_and_moves_back(desk: Client) -> None:
    night = book_night(DAY).booking
    answer = send(desk, night, fields(night, day="2030-02-14", begins="21:15", ends="05:00"))
    assert answer.status_code == 200
    assert answer.json()["said"] == "Moved to 14 Feb, 21:15 to 15 Feb, 05:00."
    assert span_of(night) == "14 21:15-15 05:00"
    assert Entry.objects.filter(action="procedure.moved").count() == 1
    assert Booking.objects.get(pk=night.pk).sequence == 1
    undo = answer.json()["undo"]
    back = desk.post(undo["url"], undo["fields"], headers={"Accept": "application/json"})
    assert back.json()["said"] == "Moved to 13 Feb, 20:00 to 14 Feb, 04:00."
    assert Booking.objects.get(pk=night.pk).sequence == 2
    # The same undo again would change nothing.
    again = desk.post(undo["url"], undo["fields"], headers={"Accept": "application/json"})
    assert (again.status_code, again.json()["said"]) == (409, "It is at this time already.")
    assert span_of(night) == "13 20:00-14 04:00"


def test_a_clash_is_named_and_nothing_is_moved(desk: Client) -> None:
    room = make_room()
    night = book_night(DAY, room).booking
    book_night(DAY + timedelta(days=1), room)
    answer = send(desk, night, fields(night, day="2030-02-14"))
    assert answer.status_code == 409
    assert answer.json()["said"] == f"{room.label} is taken from 14 Feb, 20:00 to 15 Feb, 04:00."
    assert (span_of(night), Booking.objects.get(pk=night.pk).sequence) == ("13 20:00-14 04:00", 0)


def test_without_script_the_form_moves_and_the_next_page_offers_the_undo(desk: Client) -> None:
    night = book_night(DAY).booking
    url = reverse("calendar-move", args=[night.pk]) + "?view=month&date=2030-02-13&kind=erasure"
    page = unescape(desk.get(url).content.decode())
    assert "Now 13 Feb, 20:00 to 14 Feb, 04:00." in page
    assert "/calendar/?view=month&date=2030-02-13&kind=erasure" in page
    answer = desk.post(url, fields(night, begins="22:00"), follow=True)
    assert answer.redirect_chain == [("/calendar/?view=month&date=2030-02-13&kind=erasure", 302)]
    next_page = unescape(answer.content.decode())
    assert "Moved to 13 Feb, 22:00 to 14 Feb, 04:00." in next_page
    assert 'name="begins" value="20:00"' in next_page
    assert 'name="begins" value="20:00"' not in desk.get(reverse("calendar")).content.decode()
    assert span_of(night) == "13 22:00-14 04:00"


def test_s3_a_move_from_an_old_page_is_refused_with_409_and_says_where_it_is_now(desk: Client) -> None:
    night = book_night(DAY).booking
    old = fields(night, day="2030-02-15")
    assert send(desk, night, fields(night, day="2030-02-14")).status_code == 200
    answer = send(desk, night, old)
    assert answer.status_code == 409
    assert "it is from 14 Feb, 20:00 to 15 Feb, 04:00 now" in answer.json()["said"]
    assert span_of(night) == "14 20:00-15 04:00"
    # The page without script has the form for the hours as they are, so the next attempt is from these.
    page = desk.post(reverse("calendar-move", args=[night.pk]), old)
    assert page.status_code == 409
    assert "it is from 14 Feb, 20:00 to 15 Feb, 04:00 now" in unescape(page.content.decode())
    inputs = [tag for tag in re.findall(r"<input[^>]+>", page.content.decode()) if "expected" in tag]
    shown = {
        name: unescape(value)
        for tag in inputs
        for name in re.findall(r'name="(\w+)"', tag)
        for value in re.findall(r'value="([^"]*)"', tag)
    }
    assert set(shown) == {"expected_start", "expected_end"}
    assert span_of(night) == "14 20:00-15 04:00"
    assert send(desk, night, {**old, **shown}).status_code == 200
    assert span_of(night) == "15 20:00-16 04:00"


@pytest.mark.parametrize(
    ("changed", "status", "message"),
    [
        ({"day": "2030-02-31"}, 422, "Enter a valid date."),
        ({"begins": "20:10"}, 422, "Bookings begin and end on a quarter"),
        ({"day": "2030-03-10", "begins": "02:30", "ends": "08:00"}, 422, "The clocks go forward"),
        ({"day": "2199-12-31"}, 422, "The calendar does not have this day."),
        ({"expected_start": "yesterday"}, 422, "Enter a valid date/time."),
        ({"begins": "12:00", "ends": "11:00"}, 409, "A night has at most 16 hours."),
        ({"day": "2020-02-13"}, 409, "This night is over already."),
        ({}, 409, "It is at this time already."),
        (
            {"expected_end": "2030-02-14T10:00:00+00:00", "begins": "21:00"},
            409,
            "Somebody changed it meanwhile",
        ),
    ],
)
def test_an_invalid_move_is_refused_with_a_reason_and_the_fields_stay(
    desk: Client, changed: dict[str, str], status: int, message: str
) -> None:
    night = book_night(DAY).booking
    answer = send(desk, night, fields(night, **changed))
    assert (answer.status_code, message in answer.json()["said"]) == (status, True), answer.json()
    page = desk.post(reverse("calendar-move", args=[night.pk]), fields(night, **changed))
    assert page.status_code == status
    assert message in unescape(page.content.decode())
    assert all(
        f'value="{changed[name]}"' in page.content.decode() for name in {"day", "begins"} & set(changed)
    )
    assert span_of(night) == "13 20:00-14 04:00"


def test_objections_are_confirmed_by_the_desk_and_not_by_a_doctor(desk: Client) -> None:
    night = book_night(DAY).booking
    doctor = night.resources.get(kind="doctor")
    nights = {3: [(time(20), time(6))], 2: [(time(20), time(6))]}
    change_week(doctor, nights, valid_from=date(2027, 1, 1), reason="contract", by=make_user())
    wanted = fields(night, day="2030-02-15")
    answer = send(desk, night, wanted)
    assert (answer.status_code, span_of(night)) == (409, "13 20:00-14 04:00")
    token = answer.json()["confirm"]
    assert token
    assert f'value="{token}"' in desk.post(reverse("calendar-move", args=[night.pk]), wanted).content.decode()
    assert doctor.user
    other = Client()
    other.force_login(doctor.user)
    refused = send(other, night, {**wanted, "confirmed": token})
    assert (refused.status_code, refused.json()["confirm"]) == (409, "")
    assert "The front desk can book it even so." in refused.json()["said"]
    assert send(desk, night, {**wanted, "confirmed": token}).status_code == 200
    assert span_of(night) == "15 20:00-16 04:00"


def test_a_person_who_may_not_move_a_booking_is_refused_and_recorded(desk: Client, client: Client) -> None:
    night = book_night(DAY).booking
    assert night.resources.filter(kind="technician").exists()
    stranger = Client()
    for role in (Role.TECHNICIAN, Role.ADMINISTRATOR):
        stranger.force_login(make_user(role))
        assert send(stranger, night, fields(night, begins="22:00")).status_code == 403
    assert Entry.objects.filter(action="access.denied").count() == 2
    assert send(desk, Booking(pk=uuid4()), fields(night)).status_code == 404
    # Nothing moves a kind of booking that no package has registered.
    room = make_room()
    start = night.starts_at
    visit = book(
        kind=Booking.Kind.FOLLOW_UP,
        resources=[room],
        starts_at=start,
        ends_at=start + timedelta(hours=1),
        by=make_user(),
    )
    assert send(desk, visit, fields(visit, begins="23:00", ends="23:30")).status_code == 403
    assert span_of(night) == "13 20:00-14 04:00"


def test_a_night_that_began_or_was_canceled_is_not_moved(desk: Client) -> None:
    begun, canceled = book_night(DAY), book_night(DAY)
    Procedure.objects.filter(pk=begun.pk).update(state=Procedure.State.STARTED)
    cancel_procedure(canceled, by=make_user(Role.RECEPTIONIST))
    for night in (begun.booking, canceled.booking):
        answer = send(desk, night, fields(night, begins="22:00"))
        assert answer.status_code == 409
        assert answer.json()["said"] == "This procedure was started or canceled before."
        page = desk.get(reverse("calendar-move", args=[night.pk]), follow=True)
        assert "This cannot be moved from here." in unescape(page.content.decode())
    row = Booking.objects.get(pk=canceled.booking_id)
    assert (row.sequence, row.canceled_at is None) == (1, False)
