"""The pages of the calendar: what they show to whom, how many queries they take, and which rows they read."""

import json
import re
from datetime import date, time, timedelta
from html import unescape
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.db.models import QuerySet
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone, translation

from clinic.accounts.models import Role
from clinic.calendar.board import Span, at_clock
from clinic.calendar.bookings import book
from clinic.calendar.models import Booking, Resource
from clinic.calendar_pages import entries
from clinic.calendar_pages.entries import bookings_of
from clinic.calendar_pages.ranges import CalendarView, Range, range_of
from tests.factories import make_doctor, make_room, make_user
from tests.nights import book_night

pytestmark = pytest.mark.django_db
DAY = date(2030, 2, 13)  # a Wednesday


@pytest.fixture
def desk(client: Client) -> Client:
    client.force_login(make_user(Role.RECEPTIONIST))
    return client


def text_of(client: Client, **query: str) -> str:
    """Return the page as text with single spaces, without the data from which the script draws it."""
    page = client.get(reverse("calendar"), query).content.decode()
    return " ".join(unescape(re.sub(r"<script.*?</script>|<[^>]+>", " ", page, flags=re.S)).split())


def calendar_data(client: Client, **query: str) -> dict[str, Any]:
    page = client.get(reverse("calendar"), query).content.decode()
    found = re.search(r'<script id="calendar-data" type="application/json">(.*?)</script>', page, re.S)
    assert found
    return json.loads(found[1])


def make_visit(room: Resource, day: date, clock: time, hours: float = 1, *more: Resource) -> Booking:
    start = at_clock(day, clock)
    return book(
        kind=Booking.Kind.VISIT,
        resources=[room, *more],
        starts_at=start,
        ends_at=start + timedelta(hours=hours),
        by=make_user(),
    )


@pytest.mark.parametrize(
    ("language", "view", "first", "end", "title"),
    [
        ("en", CalendarView.DAY, date(2030, 2, 13), date(2030, 2, 14), "Wednesday 13 February 2030"),
        ("en", CalendarView.WEEK, date(2030, 2, 10), date(2030, 2, 17), "10 Feb to 16 February 2030"),
        ("vi", CalendarView.WEEK, date(2030, 2, 11), date(2030, 2, 18), "11 tháng 2 đến 17 tháng 2, 2030"),
        ("en", CalendarView.MONTH, date(2030, 1, 27), date(2030, 3, 3), "February 2030"),
        ("vi", CalendarView.MONTH, date(2030, 1, 28), date(2030, 3, 4), "tháng 2, 2030"),
    ],
)
def test_a_view_shows_the_days_of_the_reader_s_week(
    language: str, view: CalendarView, first: date, end: date, title: str
) -> None:
    with translation.override(language):
        assert (found := range_of(view, DAY)) == Range(view, DAY, first, end)
        assert found.title == title


def test_a_month_has_at_most_six_weeks() -> None:
    lengths = {
        len(range_of(CalendarView.MONTH, date(2030 + n // 12, n % 12 + 1, 1)).days) for n in range(240)
    }
    assert max(lengths) == 42


def test_the_list_and_the_drawn_calendar_have_the_same_bookings(desk: Client) -> None:
    night = book_night(DAY)
    room, name = night.booking.resources.get(kind="room").label, night.case.patient.short_name
    page = text_of(desk, view="week", date=DAY.isoformat())
    for words in [
        "Wednesday 13 February 2030",
        "20:00 to 14 Feb, 04:00",
        name,
        room,
        "Erasure here, 1 memory",
    ]:
        assert words in page, words
    (event,) = calendar_data(desk, view="week", date=DAY.isoformat())["events"]
    assert (event["start"], event["end"]) == ("2030-02-13T20:00:00", "2030-02-14T04:00:00")
    assert event["extendedProps"]["who"] == name
    assert event["editable"]
    # In a month a night belongs to the day on which it begins, and dragging still knows when it ends.
    (event,) = calendar_data(desk, view="month", date=DAY.isoformat())["events"]
    assert (event["end"], event["extendedProps"]["ends"]) == ("2030-02-13T23:59:00", "2030-02-14T04:00:00")
    rows = calendar_data(desk, view="resources", date=DAY.isoformat())["resources"]
    assert rows[0]["title"] == room
    assert {row["id"] for row in rows} == set(event["resourceIds"])
    # The list needs no script, and no library is loaded for it.
    raw = desk.get(reverse("calendar"), {"view": "list", "date": DAY.isoformat()}).content.decode()
    assert "event-calendar" not in raw
    assert name in raw
    assert "Nothing is booked in these days." in text_of(desk, view="week", date="2030-03-13")


def test_the_library_is_on_the_calendar_s_pages_alone(desk: Client) -> None:
    assert "vendor/event-calendar" in desk.get(reverse("calendar")).content.decode()
    assert "vendor/event-calendar" not in desk.get(reverse("today")).content.decode()
    folder = settings.BASE_DIR / "static" / "vendor" / "event-calendar"
    assert "EventCalendar v5.10.1" in (folder / "event-calendar.min.js").read_text()
    assert "Permission is hereby granted" in (folder / "LICENSE.txt").read_text()


def test_a_night_of_another_team_is_masked_and_cannot_be_moved(client: Client) -> None:
    night = book_night(DAY)
    client.force_login(make_user(Role.TECHNICIAN))
    page = text_of(client, view="list", date=DAY.isoformat())
    assert "20:00 to 14 Feb, 04:00 Erasure" in page
    assert night.case.patient.short_name not in page
    assert night.case.reference not in page
    sheet = client.get(reverse("day-sheet"), {"date": DAY.isoformat()}).content.decode()
    assert ("20:00–04:00" in sheet, night.case.reference in sheet) == (True, False)
    url = reverse("calendar-move", args=[night.booking_id])
    assert url not in client.get(reverse("calendar"), {"date": DAY.isoformat()}).content.decode()
    assert client.get(url).status_code == 302
    client.force_login(make_user(Role.PATIENT))
    assert client.get(reverse("calendar")).status_code in {403, 404}


def test_filters_are_in_the_address_and_stay_in_its_links(desk: Client) -> None:
    doctor = make_doctor()
    room, other = make_room(), make_room()
    make_visit(room, DAY, time(9), 1, doctor.resources.get())
    make_visit(other, DAY, time(11))
    query = {"view": "list", "date": DAY.isoformat()}
    for name, value, shown in [
        ("person", doctor.pk, {"09:00"}),
        ("place", other.pk, {"11:00"}),
        ("kind", "visit", {"09:00", "11:00"}),
        ("kind", "mapping", set()),
        # An unknown person filters nothing, and the page says so.
        ("person", "nobody", {"09:00", "11:00"}),
    ]:
        page = text_of(desk, **query, **{name: str(value)})
        assert {hour for hour in ("09:00", "11:00") if f"{hour} to" in page} == shown, name
    raw = desk.get(reverse("calendar"), {**query, "person": str(doctor.pk)}).content.decode()
    links = re.findall(r'href="(/calendar/\?[^"]*view=[^"]*)"', unescape(raw))
    filtered = [link for link in links if f"person={doctor.pk}" in link]
    assert len(filtered) == 8  # earlier, today, later, and five views
    assert "There is no such choice, so everything is shown." in text_of(desk, **query, person="nobody")


def test_too_many_bookings_are_cut_and_the_page_says_so(
    desk: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("clinic.calendar_pages.views.MAX_ENTRIES", 2)
    monkeypatch.setattr(entries, "MAX_ENTRIES", 2)
    room = make_room()
    for hour in (9, 10, 11):
        make_visit(room, DAY, time(hour))
    page = text_of(desk, date=DAY.isoformat())
    assert "Only the first 2 bookings are shown." in page
    assert ("10:00 to 11:00" in page, "11:00 to 12:00" in page) == (True, False)


def test_a_page_takes_as_many_queries_for_three_nights_as_for_one(desk: Client) -> None:
    counts: dict[str, list[int]] = {}
    for number in range(2):
        for _each in range(1 + number):
            book_night(DAY)
        for view in CalendarView:
            desk.get(reverse("calendar"), {"view": view, "date": DAY.isoformat()})  # fills caches
            with CaptureQueriesContext(connection) as queries:
                desk.get(reverse("calendar"), {"view": view, "date": DAY.isoformat()})
            counts.setdefault(view, []).append(len(queries))
        with CaptureQueriesContext(connection) as queries:
            desk.get(reverse("day-sheet"), {"date": DAY.isoformat()})
        counts.setdefault("sheet", []).append(len(queries))
    assert [name for name, (one, three) in counts.items() if one != three] == []


def plan_of(rows: QuerySet[Booking]) -> str:
    """How the database would read these rows."""
    sql, values = rows.query.sql_with_params()
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("ANALYZE clinic_booking")
        cursor.execute(f"EXPLAIN {'QUERY PLAN ' * (connection.vendor == 'sqlite')}{sql}", values)
        return "\n".join(str(row) for row in cursor.fetchall())


def test_the_index_finds_the_bookings_of_a_span() -> None:
    """Far fewer rows than the table has, whatever it has before and after the span."""
    doctor = make_doctor()
    by, start = make_user(), at_clock(DAY, time(9))
    Booking.objects.bulk_create(
        Booking(
            kind=Booking.Kind.VISIT,
            starts_at=start + timedelta(days=number),
            ends_at=start + timedelta(days=number, hours=1),
            made_by=by,
        )
        for number in range(-1500, 1500)
    )
    shown = range_of(CalendarView.MONTH, DAY)
    plan, filtered = (
        plan_of(bookings_of(shown.span, chosen)) for chosen in ({}, {"person": doctor, "kind": "visit"})
    )
    assert "bookings_by_start" in plan, plan
    # PostgreSQL may begin at the person's own bookings, which are few.
    assert re.search("bookings_by_start|clinic_booking_pkey", filtered), filtered
    for read in (plan, filtered):
        assert not re.search(r"SCAN clinic_booking\b|Seq Scan on clinic_booking ", read), read
    if connection.vendor == "sqlite":
        assert "starts_at>? AND starts_at<?" in plan
        assert "starts_at>? AND starts_at<?" in filtered
    assert bookings_of(shown.span, {}).count() == len(shown.days)


def test_the_sheet_of_a_day_has_file_numbers_and_no_names(desk: Client) -> None:
    night = book_night(DAY)
    early = book_night(DAY - timedelta(days=1), begins=time(22))
    make_visit(make_room(), DAY + timedelta(days=1), time(9))
    page = desk.get(reverse("day-sheet"), {"date": DAY.isoformat()}).content.decode()
    text = " ".join(unescape(re.sub(r"<[^>]+>", " ", page)).split())
    team = list(night.booking.resources.filter(user__isnull=False))
    for words in [night.case.reference, early.case.reference, "20:00–04:00", "22:00–06:00", "booked"]:
        assert text.count(words) >= 3, words  # with the room, the doctor and the technician
    assert all(text.count(person.user.name) == 2 for person in team if person.user)
    assert night.case.patient.name not in text
    assert night.case.patient.short_name not in text
    assert "09:00" not in text


def test_a_booking_lasts_a_week_at_most() -> None:
    """So the calendar looks only that far back for what is still going on."""
    room, start = make_room(), at_clock(DAY, time(9))
    with pytest.raises(ValueError, match="more than a week"):
        make_visit(room, DAY, time(9), 7 * 24 + 1)
    long = make_visit(room, DAY, time(9), 7 * 24)
    end = Span(start + timedelta(days=7, minutes=-15), start + timedelta(days=8))
    assert list(bookings_of(end, {})) == [long]
    assert timezone.localtime(long.ends_at).date() == DAY + timedelta(days=7)


def test_a_booking_that_was_released_early_is_drawn_until_then(desk: Client) -> None:
    visit = make_visit(make_room(), DAY, time(10), 3)
    for minutes, end in ((0, "10:15"), (60, "11:00"), (300, "13:00")):
        Booking.objects.filter(pk=visit.pk).update(released_at=visit.starts_at + timedelta(minutes=minutes))
        (event,) = calendar_data(desk, view="day", date=DAY.isoformat())["events"]
        assert event["end"] == f"{DAY.isoformat()}T{end}:00"
