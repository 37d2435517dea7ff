"""The pages on hours, absences and closings."""

import re
from datetime import date, datetime, time, timedelta
from html import unescape
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from clinic.accounts.models import Role, User
from clinic.audit.models import Entry
from clinic.availability.changes import add_exception, change_week, limits_of
from clinic.availability.forms import read_spans
from clinic.availability.models import AvailabilityException, WorkingHours
from clinic.calendar.bookings import book
from clinic.calendar.models import Resource
from clinic.setup.checklist import lines
from tests.edits import edit, hidden_in
from tests.factories import make_doctor, make_room, make_technician, make_user

pytestmark = pytest.mark.django_db
NINE_TO_FIVE = [(time(9), time(17))]


@pytest.fixture
def desk(client: Client) -> Client:
    client.force_login(make_user(Role.RECEPTIONIST, name="Howard Front"))
    return client


@pytest.fixture
def stan() -> Resource:
    return make_technician().resources.get()


def page_of(client: Client, url: str) -> str:
    return " ".join(unescape(client.get(url).content.decode()).split())


def week_form(**days: str) -> dict[str, str]:
    blank = {f"day{number}": "" for number in range(7)}
    return {
        "do": "week",
        **blank,
        "valid_from": timezone.localdate().isoformat(),
        "reason": "contract",
        **days,
    }


def test_hours_are_typed_saved_and_shown(desk: Client, stan: Resource) -> None:
    url = reverse("hours-of", args=[stan.pk])
    answer = edit(desk, url, week_form(day0="9-12.30, 13:00 – 17h00", day4="20:00-6:00"), follow=True)
    assert "The hours are saved." in unescape(answer.content.decode())
    rows = [(row.weekday, str(row)) for row in WorkingHours.objects.order_by("weekday", "starts")]
    assert rows == [(0, "09:00–12:30"), (0, "13:00–17:00"), (4, "20:00–06:00")]
    page = page_of(desk, url)
    assert 'value="09:00–12:30, 13:00–17:00"' in page
    assert "Friday: –, now 20:00–06:00" in page
    assert "Howard Front" in page
    assert "contract" in page


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ("nine to five", "is no span such as 09:00–17:00"),
        ("9:10-17", "Hours begin and end on a quarter"),
        ("9-25", "There is no time 25:00"),
        ("9-12, 11-14", "Two spans of this day overlap"),
        ("20-6, 21-22", "Two spans of this day overlap"),
        ("1-2,3-4,5-6,7-8,9-10", "A day has at most 4 spans"),
        ("9" * 101, "at most 100 characters"),
    ],
)
def test_hours_that_cannot_be_read_are_refused_and_stay_in_the_form(
    desk: Client, stan: Resource, typed: str, message: str
) -> None:
    answer = edit(desk, reverse("hours-of", args=[stan.pk]), week_form(day2=typed))
    page = unescape(answer.content.decode())
    assert answer.status_code == 422
    assert message in page
    assert f'value="{typed}"' in page
    assert not WorkingHours.objects.exists()


@pytest.mark.parametrize(
    ("typed", "spans"),
    [
        ("", []),
        ("8-24", [(time(8), time(0))]),
        ("13-17; 9-12", [(time(9), time(12)), (time(13), time(17))]),
        ("20:15 đến 06:45", [(time(20, 15), time(6, 45))]),
    ],
)
def test_spans_are_read_in_the_ways_people_write_them(typed: str, spans: list[tuple[time, time]]) -> None:
    assert read_spans(typed) == spans


@pytest.mark.parametrize(
    ("sent", "message"),
    [
        ({}, "A week needs hours on at least one day"),
        ({"day0": "9-17", "valid_from": "2020-01-01"}, "The past stays as it was"),
        ({"day0": "9-17", "valid_from": "9999-12-31"}, "The calendar does not have this day"),
        ({"day0": "9-17", "reason": ""}, "This field is required"),
    ],
)
def test_an_invalid_week_is_refused(desk: Client, stan: Resource, sent: dict[str, str], message: str) -> None:
    answer = edit(desk, reverse("hours-of", args=[stan.pk]), week_form(**sent))
    assert answer.status_code == 422
    assert message in unescape(answer.content.decode())
    assert not WorkingHours.objects.exists()


def test_w2_older_pages_do_not_overwrite_newer_hours(desk: Client, stan: Resource) -> None:
    url = reverse("hours-of", args=[stan.pk])
    page = desk.get(url)
    change_week(stan, {0: NINE_TO_FIVE}, valid_from=timezone.localdate(), reason="contract", by=make_user())
    answer = desk.post(url, {**hidden_in(page), **week_form(day0="10-12")})
    assert answer.status_code == 409
    assert "09:00–17:00" in answer.content.decode()
    assert [str(row) for row in WorkingHours.objects.all()] == ["09:00–17:00"]
    # Somebody else's Monday stays when only Tuesday is typed.
    answer = desk.post(url, {**hidden_in(page), **week_form(day1="10-12")})
    assert answer.status_code == 302
    rows = WorkingHours.objects.filter(valid_until=None).order_by("weekday")
    assert [(row.weekday, str(row)) for row in rows] == [(0, "09:00–17:00"), (1, "10:00–12:00")]


def test_the_same_hours_are_not_saved_again(desk: Client, stan: Resource) -> None:
    url = reverse("hours-of", args=[stan.pk])
    edit(desk, url, week_form(day0="9-17"))
    answer = edit(desk, url, week_form(day0="09:00–17:00"), follow=True)
    assert "Nothing was changed" in answer.content.decode()
    assert Entry.objects.filter(action="hours.changed").count() == 1


def test_limits_are_saved_and_compared(desk: Client, stan: Resource) -> None:
    url = reverse("hours-of", args=[stan.pk])
    found = re.search(r'name="(limits-based_on)" value="([^"]+)"', desk.get(url).content.decode())
    assert found
    old = {found[1]: found[2]}
    sent = {"do": "limits", "limits-nights_a_week": "3", "limits-rest_hours": "11"}
    assert desk.post(url, {**old, **sent}).status_code == 302
    limits = limits_of(stan)
    assert limits
    assert (limits.nights_a_week, limits.rest_hours) == (3, 11)
    assert desk.post(url, {**old, **sent, "limits-rest_hours": "12"}).status_code == 409
    assert desk.post(url, {**old, **sent, "limits-nights_a_week": "8"}).status_code in {409, 422}
    room = make_room()
    answer = desk.post(reverse("hours-of", args=[room.pk]), sent, follow=True)
    assert "Only people have limits on nights." in answer.content.decode()
    assert limits_of(room) is None


def absence_form(day: date, **more: str) -> dict[str, str]:
    sent = {
        "kind": "away",
        "first": day.isoformat(),
        "last": "",
        "begins": "",
        "ends": "",
        "reason": "flu",
    }
    return {
        "do": "away",
        **{f"away-{name}": value for name, value in {**sent, **more}.items()},
    }


def test_an_absence_of_whole_days_and_extra_hours_are_entered_and_taken_back(
    desk: Client, stan: Resource
) -> None:
    url = reverse("hours-of", args=[stan.pk])
    first = date(2031, 3, 8)
    zone = timezone.get_default_timezone()
    assert desk.post(url, absence_form(first, last="2031-03-09")).status_code == 302
    row = AvailabilityException.objects.get()
    assert row.starts_at == datetime(2031, 3, 8, tzinfo=zone)
    assert row.ends_at == datetime(2031, 3, 10, tzinfo=zone)
    assert not row.adds
    assert "8 March 2031 to 9 March 2031" in page_of(desk, url)
    assert "8 March 2031 to 9 March 2031" in page_of(desk, reverse("hours")), "the list has it too"
    assert desk.post(url, absence_form(first, kind="extra", begins="10:00", ends="14:00")).status_code == 302
    extra = AvailabilityException.objects.get(adds=True)
    assert extra.ends_at - extra.starts_at == timedelta(hours=4)
    answer = desk.post(url, {"do": "end", "exception": str(row.pk)}, follow=True)
    assert "It is taken back." in answer.content.decode()
    assert "8 March 2031 to 9 March" not in page_of(desk, url)
    for wrong in (str(row.pk), str(uuid4()), "nothing"):
        answer = desk.post(url, {"do": "end", "exception": wrong}, follow=True)
        assert "It was taken back before, or it is over." in answer.content.decode()


@pytest.mark.parametrize(
    ("sent", "message"),
    [
        ({"first": ""}, "This field is required"),
        ({"last": "2031-03-01"}, "The end must be after the start"),
        ({"begins": "14:00", "ends": "10:00"}, "The end must be after the start"),
        ({"first": "2020-01-01"}, "This time is over already"),
        ({"last": "2040-01-01"}, "more than two years"),
        ({"reason": ""}, "This field is required"),
        ({"kind": "sleep"}, "Select a valid choice"),
        ({"first": "9999-12-31"}, "The calendar does not have this day"),
    ],
)
def test_an_absence_that_makes_no_sense_is_refused(
    desk: Client, stan: Resource, sent: dict[str, str], message: str
) -> None:
    answer = desk.post(reverse("hours-of", args=[stan.pk]), absence_form(date(2031, 3, 8), **sent))
    assert answer.status_code == 422
    assert message in answer.content.decode()
    assert not AvailabilityException.objects.exists()


def test_the_clinic_closes_and_what_is_booked_then_is_listed(desk: Client, stan: Resource) -> None:
    by = make_user()
    start = datetime(2027, 1, 4, 10, tzinfo=timezone.get_default_timezone())
    book(kind="visit", resources=[stan], starts_at=start, ends_at=start + timedelta(hours=1), by=by)
    sent = {"do": "close", "first": "2027-01-04", "reason": "Tết"}
    page = unescape(desk.post(reverse("hours"), sent, follow=True).content.decode())
    assert "The clinic is closed then. What is booked already stays booked." in page
    assert "4 January 2027" in page
    assert "Booked outside these hours" in page
    assert "4 Jan, 10:00 to 4 Jan, 11:00" in page
    assert "4 Jan, 10:00 to 4 Jan, 11:00" in page_of(desk, reverse("hours-of", args=[stan.pk]))
    row = AvailabilityException.objects.get()
    desk.post(reverse("hours"), {"do": "end", "exception": str(row.pk)})
    assert "Booked outside these hours" not in page_of(desk, reverse("hours"))
    assert desk.post(reverse("hours"), {"do": "close", "first": "", "reason": ""}).status_code == 422


def test_everybody_reads_their_own_hours_and_nobody_elses(client: Client, stan: Resource) -> None:
    by = make_user()
    change_week(stan, {0: NINE_TO_FIVE}, valid_from=timezone.localdate(), reason="contract", by=by)
    other = make_doctor().resources.get()
    change_week(other, {1: [(time(6), time(7))]}, valid_from=timezone.localdate(), reason="contract", by=by)
    person = User.objects.get(resources=stan)
    client.force_login(person)
    page = page_of(client, reverse("my-hours"))
    assert "09:00–17:00" in page
    assert "06:00–07:00" not in page
    assert client.get(reverse("hours-of", args=[other.pk])).status_code in {403, 404}
    assert client.get(reverse("hours")).status_code == 403


def test_a_technician_without_a_resource_has_an_empty_page(client: Client) -> None:
    client.force_login(make_user(Role.TECHNICIAN))
    assert "Nothing is entered." in page_of(client, reverse("my-hours"))


def test_an_unknown_resource_has_no_page(desk: Client) -> None:
    assert desk.get(reverse("hours-of", args=[uuid4()])).status_code == 404


def test_the_list_has_a_constant_number_of_queries(desk: Client) -> None:
    by = make_user()

    def add() -> None:
        one = make_technician().resources.get()
        change_week(one, {0: NINE_TO_FIVE}, valid_from=timezone.localdate(), reason="contract", by=by)
        start = timezone.now() + timedelta(days=1)
        end = start + timedelta(days=2)
        add_exception(one, adds=False, starts_at=start, ends_at=end, reason="flu", by=by)
        add_exception(None, adds=False, starts_at=start, ends_at=end, reason="Tết", by=by)
        book(kind="visit", resources=[one], starts_at=start, ends_at=start + timedelta(hours=1), by=by)

    def count() -> int:
        with CaptureQueriesContext(connection) as queries:
            assert desk.get(reverse("hours")).status_code == 200
        return len(queries)

    add()
    alone = count()
    add()
    add()
    # Two queries for each closing, of which a page lists at most forty: its bookings, and their resources.
    assert count() == alone + 2 * 2


def setup_line(key: str) -> tuple[bool, str]:
    line = next(line for line in lines() if line.key == key)
    return line.done, str(line.text)


def test_the_set_up_page_says_who_has_no_hours_and_that_no_doctor_works() -> None:
    assert setup_line("hours")[0] is False
    doctor, stan = make_doctor().resources.get(), make_technician().resources.get()
    assert setup_line("hours") == (
        False,
        "2 people have no working hours yet, and can be booked at any time.",
    )
    assert setup_line("doctor-next-week")[0] is True
    for one in (doctor, stan):
        change_week(
            one, {0: NINE_TO_FIVE}, valid_from=timezone.localdate(), reason="contract", by=make_user()
        )
    assert setup_line("hours")[0] is True
    now = timezone.now()
    add_exception(
        doctor, adds=False, starts_at=now, ends_at=now + timedelta(days=9), reason="flu", by=make_user()
    )
    assert setup_line("doctor-next-week")[0] is False
