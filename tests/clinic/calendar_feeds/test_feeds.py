"""Feeds: one secret address per person, read without a session, equal to the calendar, ended at once."""

import logging
import re
from datetime import datetime, timedelta
from html import unescape
from uuid import UUID

import icalendar
import pytest
from django.conf import settings
from django.core.cache import cache
from django.db import IntegrityError, connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from clinic.accounts.models import Role, User
from clinic.audit.models import Entry
from clinic.calendar.bookings import book, cancel, move
from clinic.calendar.models import Booking
from clinic.calendar_feeds import views
from clinic.calendar_feeds.contents import own_bookings
from clinic.calendar_feeds.feeds import current_feed, feed_mark, make_feed
from clinic.calendar_feeds.models import CalendarFeed
from clinic.people.changes import change_roles, set_active
from clinic.people.redaction import WithoutTokens
from tests.factories import make_doctor, make_room, make_user
from tests.nights import book_night

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def empty_cache() -> None:
    cache.clear()


def make_address(user: User) -> str:
    token = make_feed(user, seen=feed_mark(user, current_feed(user)))
    return reverse("calendar-feed-file", args=[token])


def events(address: str) -> dict[UUID, icalendar.Event]:
    """The events of a feed by booking, as somebody without a session reads them."""
    answer = Client().get(address)
    assert answer.status_code == 200
    assert answer["Content-Type"] == "text/calendar; charset=utf-8"
    assert "no-store" in answer["Cache-Control"]
    calendar = icalendar.Calendar.from_ical(answer.content)
    assert [str(zone["TZID"]) for zone in calendar.walk("VTIMEZONE")] == [settings.TIME_ZONE]
    return {UUID(str(event["UID"])): event for event in calendar.walk("VEVENT")}


def make_visit(doctor: User, start: datetime, **more: object) -> Booking:
    return book(
        kind=Booking.Kind.VISIT,
        resources=[doctor.resources.get(), make_room()],
        starts_at=start,
        ends_at=start + timedelta(hours=1),
        by=doctor,
        **more,  # type: ignore[arg-type]
    )


def test_a_feed_equals_the_person_s_bookings_and_follows_their_changes() -> None:
    night = book_night(timezone.localdate() + timedelta(days=3))
    booking, now = night.booking, timezone.now().replace(minute=0, second=0, microsecond=0)
    doctor = booking.resources.get(kind="doctor").user
    assert doctor
    address = make_address(doctor)
    visit, canceled = make_visit(doctor, now + timedelta(days=2)), make_visit(doctor, now + timedelta(days=5))
    make_visit(doctor, now + timedelta(days=6), held_until=now + timedelta(days=1))
    make_visit(doctor, now - timedelta(days=31))
    make_visit(doctor, now + timedelta(days=181))
    make_visit(make_doctor(), now + timedelta(days=2))
    cancel(canceled)
    canceled_long_ago = make_visit(doctor, now + timedelta(days=9))
    cancel(canceled_long_ago)
    Booking.objects.filter(pk=canceled_long_ago.pk).update(canceled_at=now - timedelta(days=31))
    before = events(address)[visit.pk]
    with transaction.atomic():
        move(
            visit,
            starts_at=visit.starts_at + timedelta(hours=2),
            ends_at=visit.ends_at + timedelta(hours=2),
            expected_start=visit.starts_at,
        )
    found = events(address)
    rows = {row.pk: row for row in Booking.objects.filter(pk__in=[booking.pk, visit.pk, canceled.pk])}
    assert set(found) == set(rows)
    for pk, row in rows.items():
        event = found[pk]
        assert (event["DTSTART"].dt, event["DTEND"].dt) == (row.starts_at, row.ends_at)
        assert event["DTSTART"].params["TZID"] == settings.TIME_ZONE
        assert event["SEQUENCE"] == row.sequence
        changed = row.canceled_at or row.moved_at or row.made_at
        assert event["DTSTAMP"].dt == changed.replace(microsecond=0)
        assert event["STATUS"] == ("CANCELLED" if pk == canceled.pk else "CONFIRMED")
        assert str(event["LOCATION"]) == row.resources.get(kind="room").label
    assert (before["SEQUENCE"], found[visit.pk]["SEQUENCE"], found[canceled.pk]["SEQUENCE"]) == (0, 1, 1)
    assert found[visit.pk]["DTSTAMP"].dt > before["DTSTAMP"].dt - timedelta(seconds=1)
    assert str(found[booking.pk]["SUMMARY"]) == f"Night, file {night.case.reference}"
    assert str(found[visit.pk]["SUMMARY"]) == "Visit"
    raw = Client().get(address).content.decode().replace("\r\n ", "")
    patient = night.case.patient
    assert not any(word in raw for word in [*patient.name.split(), "Clementine", doctor.name])
    doctor.language = "vi"
    doctor.save(update_fields=["language"])
    assert "hồ sơ" in str(events(address)[booking.pk]["SUMMARY"])


def test_the_page_makes_replaces_and_ends_an_address(client: Client) -> None:
    doctor = make_doctor()
    client.force_login(doctor)
    url = reverse("calendar-feed")

    def press(do: str, seen: str | None = None) -> str:
        page = client.get(url).content.decode()
        mark = re.search(r'name="seen" value="([^"]+)"', page)
        assert mark
        answer = client.post(url, {"do": do, "seen": seen or mark[1]}, follow=True)
        return unescape(answer.content.decode())

    def address_in(page: str) -> str:
        found = re.search(r'value="http://testserver([^"]+\.ics)"', page)
        return found[1] if found else ""

    first = address_in(press("make"))
    assert Client().get(first).status_code == 200
    assert address_in(unescape(client.get(url).content.decode())) == ""  # shown once
    token = first.rsplit("/", 1)[1].removesuffix(".ics")
    assert not CalendarFeed.objects.filter(digest__contains=token[:8]).exists()
    stale = feed_mark(doctor, None)
    assert "The address was changed meanwhile." in press("make", stale)
    second = address_in(press("make"))
    assert second != first
    assert (Client().get(first).status_code, Client().get(second).status_code) == (404, 200)
    assert "The address is ended." in press("end")
    assert Client().get(second).status_code == 404
    assert "There is no address to end." in press("end")
    actions = (
        Entry.objects.filter(action__startswith="feed.").order_by("index").values_list("action", flat=True)
    )
    assert list(actions) == ["feed.made", "feed.ended", "feed.made", "feed.ended"]
    assert token not in str(list(Entry.objects.values("subject", "details", "reason")))


def test_a_person_has_one_feed_at_a_time() -> None:
    doctor = make_doctor()
    make_address(doctor)
    with pytest.raises(IntegrityError, match=r"one_calendar_feed_at_a_time|user_id"), transaction.atomic():
        CalendarFeed.objects.create(user=doctor, digest="0" * 64)


def test_a_feed_ends_with_the_account_and_with_the_role(settings: object) -> None:
    administrator, doctor, other = make_user(Role.ADMINISTRATOR), make_doctor(), make_doctor()
    address, second = make_address(doctor), make_address(other)
    assert Client().get(address).status_code == 200
    set_active(doctor, False, by=administrator)
    assert Client().get(address).status_code == 404
    change_roles(other, {Role.RECEPTIONIST}, by=administrator)
    assert Client().get(second).status_code == 404
    # A feed made under a former secret key is valid as long as SECRET_KEY_FALLBACKS has that key.
    set_active(doctor, True, by=administrator)
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]  # type: ignore[attr-defined]
    settings.SECRET_KEY = "another"  # type: ignore[attr-defined]
    assert Client().get(address).status_code == 200
    settings.SECRET_KEY_FALLBACKS = []  # type: ignore[attr-defined]
    assert Client().get(address).status_code == 404


def test_unknown_addresses_are_throttled_and_known_ones_still_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(views, "MAX_UNKNOWN", 3)
    address = make_address(make_doctor())
    unknown = reverse("calendar-feed-file", args=["0" * 43])
    assert [Client().get(unknown).status_code for _each in range(5)] == [404, 404, 404, 429, 429]
    assert Client().get(unknown, REMOTE_ADDR="192.0.2.9").status_code == 404
    assert Client().get(address).status_code == 200
    assert Client().post(address).status_code in {403, 405}


def test_a_feed_takes_the_same_queries_for_one_booking_and_for_three() -> None:
    doctor, now = make_doctor(), timezone.now().replace(minute=0, second=0, microsecond=0)
    address, counts = make_address(doctor), []
    for days in ([1], [2, 3]):
        for day in days:
            make_visit(doctor, now + timedelta(days=day))
        with CaptureQueriesContext(connection) as queries:
            assert len(events(address)) == days[-1]
        counts.append(len(queries))
    assert counts[0] == counts[1]
    assert [row.pk for row in own_bookings(doctor)] == list(
        Booking.objects.order_by("starts_at").values_list("pk", flat=True)
    )


def test_the_log_has_no_token() -> None:
    line = logging.LogRecord("a", 30, "", 0, "Not Found: %s", ("/calendar/feeds/s3cret_-x.ics",), None)
    assert WithoutTokens().filter(line)
    assert line.getMessage() == "Not Found: /calendar/feeds/[ ].ics"
