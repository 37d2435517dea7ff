"""A patient takes their own appointment into a calendar: what the file says, and to whom."""

import re
from datetime import UTC, datetime, timedelta
from html import unescape
from uuid import uuid4

import icalendar
import pytest
from django.conf import settings
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from clinic.accounts.models import Role, User
from patients.appointments.booking import cancel_appointment, move_appointment
from patients.appointments.models import Appointment
from patients.cases.models import Case
from tests.appointments import make_appointment, make_held
from tests.factories import make_case, make_user
from tests.outgoing import deliver

pytestmark = pytest.mark.django_db
NINE = datetime(2031, 2, 13, 14, tzinfo=UTC)  # 09:00 in New York
HOUR = timedelta(hours=1)


@pytest.fixture
def case() -> Case:
    return make_case()


def signed_in(person: User) -> Client:
    client = Client()
    client.force_login(person)
    return client


def address(row: Appointment) -> str:
    return reverse("patients:appointment-calendar", args=[row.pk])


def event_in(answer: HttpResponse) -> tuple[icalendar.Calendar, icalendar.Event]:
    """The calendar in an answer, and its only event."""
    assert (answer.status_code, answer["Content-Type"]) == (200, "text/calendar; charset=utf-8")
    assert "no-store" in answer["Cache-Control"]
    calendar = icalendar.Calendar.from_ical(answer.content)
    assert [str(zone["TZID"]) for zone in calendar.walk("VTIMEZONE")] == [settings.TIME_ZONE]
    (event,) = calendar.walk("VEVENT")
    return calendar, event


def test_the_file_has_the_hours_and_a_title_that_says_nothing(case: Case) -> None:
    row = make_appointment(case, starts_at=NINE, kind="mapping", name="Mapping with Stan")
    answer = signed_in(case.patient).get(address(row))
    calendar, event = event_in(answer)
    assert str(calendar["METHOD"]) == "PUBLISH"
    assert (str(event["UID"]), int(event["SEQUENCE"]), str(event["STATUS"])) == (str(row.pk), 0, "CONFIRMED")
    assert event["DTSTART"].params["TZID"] == settings.TIME_ZONE
    assert (event["DTSTART"].dt, event["DTEND"].dt) == (row.booking.starts_at, row.booking.ends_at)
    assert str(event["SUMMARY"]) == "Appointment at Lacuna Inc."
    assert "LOCATION" not in event
    text = answer.content.decode()
    hidden = ["Clementine", "apping", "Stan", case.reference, case.patient.name]
    hidden += [one.label for one in row.booking.resources.all()]
    assert [word for word in hidden if word in text] == []


def test_a_move_and_a_cancellation_change_what_the_calendar_has(case: Case) -> None:
    row, desk = make_appointment(case, starts_at=NINE), make_user(Role.RECEPTIONIST)
    client = signed_in(case.patient)
    move_appointment(
        row, starts_at=NINE + HOUR, ends_at=NINE + 2 * HOUR, expected_start=NINE, reason="staff", by=desk
    )
    _calendar, moved = event_in(client.get(address(row)))
    assert (int(moved["SEQUENCE"]), moved["DTSTART"].dt) == (1, NINE + HOUR)
    cancel_appointment(Appointment.objects.get(pk=row.pk), reason="staff", by=desk)
    calendar, cancelled = event_in(client.get(address(row)))
    assert (str(calendar["METHOD"]), str(cancelled["STATUS"])) == ("CANCEL", "CANCELLED")
    assert (str(cancelled["UID"]), int(cancelled["SEQUENCE"])) == (str(moved["UID"]), 2)
    assert cancelled["DTSTAMP"].dt >= moved["DTSTAMP"].dt


def test_the_portal_links_each_and_says_it_in_vietnamese(case: Case) -> None:
    ahead = timezone.now() + timedelta(days=3)
    row = make_appointment(case, starts_at=ahead)
    canceled = make_appointment(case, name="Other", starts_at=ahead + 4 * HOUR)
    cancel_appointment(canceled, reason="staff", by=make_user(Role.RECEPTIONIST))
    client = signed_in(case.patient)
    page = unescape(client.get("/me/").content.decode())
    links = dict(re.findall(r'<a href="(/me/appointments/[^"]+)"[^>]*>\s*([^<]+?)\s*</a>', page))
    assert links == {address(row): "Add to calendar", address(canceled): "Take out of calendar"}
    client.cookies["django_language"] = "vi"
    page = unescape(client.get("/me/").content.decode())
    assert "Thêm vào lịch" in page
    assert str(event_in(client.get(address(row)))[1]["SUMMARY"]) == "Lịch hẹn tại Lacuna Inc."


def test_the_mail_names_the_page_and_carries_no_file(case: Case, mailoutbox: list) -> None:
    make_appointment(case, starts_at=timezone.now() + timedelta(days=30))
    deliver()
    (mail,) = [one for one in mailoutbox if one.to == [case.patient.email]]
    assert "On your page you can add it to your calendar." in mail.body
    assert mail.attachments == []


def test_nobody_else_gets_it_and_a_refusal_is_like_that_of_a_missing_one(case: Case) -> None:
    row, held = make_appointment(case, starts_at=NINE), make_held(make_case(), starts_at=NINE + 5 * HOUR)
    other = signed_in(make_case().patient)
    missing = other.get(reverse("patients:appointment-calendar", args=[uuid4()]))
    foreign = other.get(address(row))
    assert (foreign.status_code, missing.status_code) == (404, 404)
    masked = [
        re.sub(r"[0-9a-f-]{36}|[A-Za-z0-9_-]{40,}", "", one.content.decode()) for one in (foreign, missing)
    ]
    assert masked[0] == masked[1]
    assert signed_in(held.case.patient).get(address(held)).status_code == 404
    for role in (Role.RECEPTIONIST, Role.DOCTOR, Role.ADMINISTRATOR, Role.AUDITOR):
        assert signed_in(make_user(role)).get(address(row)).status_code in {403, 404}, role
    assert Client().get(address(row)).status_code in {302, 401}
    assert signed_in(case.patient).post(address(row)).status_code == 405
