"""A night is booked and moved within the hours of its people, or outside of them once that is confirmed."""

import re
from datetime import UTC, date, datetime, time, timedelta
from html import unescape
from urllib.parse import parse_qs

import pytest
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from clinic.accounts.models import Role
from clinic.audit.models import Entry
from clinic.availability.changes import add_exception, change_limits, change_week
from clinic.calendar.models import Booking, Resource
from erasure.procedures.forms import MoveForm
from erasure.procedures.models import Procedure
from patients.cases.models import Case
from tests.factories import (
    make_case,
    make_doctor,
    make_keepsake,
    make_memory,
    make_room,
    make_signed,
    make_technician,
    make_user,
)

pytestmark = pytest.mark.django_db
DAY = date(2031, 2, 13)  # a Thursday
NIGHTS = [(time(20), time(6))]
CONFIRMATION = re.compile(r'name="confirmed"\s+value="([0-9a-f]+)"')


@pytest.fixture
def case() -> Case:
    case = make_case()
    make_keepsake(make_memory(case))
    make_signed(case)
    return case


@pytest.fixture
def desk(client: Client) -> Client:
    client.force_login(make_user(Role.RECEPTIONIST))
    return client


@pytest.fixture
def team() -> list[Resource]:
    """A doctor and a technician who work on Thursday nights, and a room."""
    doctor, technician = make_doctor().resources.get(), make_technician().resources.get()
    for one in (doctor, technician):
        change_week(one, {3: NIGHTS}, valid_from=date(2027, 1, 1), reason="contract", by=make_user())
    return [doctor, technician, make_room()]


def form(team: list[Resource], day: date = DAY, **more: str) -> dict[str, object]:
    doctor, technician, room = team
    return {
        "place": "clinic",
        "doctor": str(doctor.pk),
        "technicians": [str(technician.pk)],
        "room": str(room.pk),
        "day": day.isoformat(),
        "begins": "20:00",
        "ends": "06:00",
        **more,
    }


def page_of(answer: HttpResponse) -> str:
    return unescape(answer.content.decode())


def token_in(answer: HttpResponse) -> str:
    """The value with which the page's check box confirms what it shows, or ""."""
    found = CONFIRMATION.search(answer.content.decode())
    return found[1] if found else ""


def test_a_night_within_the_hours_is_booked(desk: Client, case: Case, team: list[Resource]) -> None:
    assert desk.post(reverse("erasure:book", args=[case.pk]), form(team)).status_code == 302
    entry = Entry.objects.get(action="procedure.booked")
    assert entry.details["outside_hours"] == 0


def test_the_desk_books_outside_the_hours_only_after_confirming(
    desk: Client, case: Case, team: list[Resource]
) -> None:
    url = reverse("erasure:book", args=[case.pk])
    answer = desk.post(url, form(team, DAY + timedelta(days=1)))
    assert answer.status_code == 409
    assert f"{team[0].label} has no working hours from 14 Feb, 20:00 to 15 Feb, 06:00." in page_of(answer)
    assert Booking.objects.count() == 0
    # The box confirms what was shown, and nothing else.
    other = desk.post(url, form(team, DAY + timedelta(days=2), confirmed=token_in(answer)))
    assert other.status_code == 409
    assert Booking.objects.count() == 0
    booked = desk.post(url, form(team, DAY + timedelta(days=1), confirmed=token_in(answer)))
    assert booked.status_code == 302
    assert Entry.objects.get(action="procedure.booked").details["outside_hours"] == 2


def test_a_doctor_cannot_confirm_a_night_outside_the_hours(
    client: Client, desk: Client, case: Case, team: list[Resource]
) -> None:
    url, wanted = reverse("erasure:book", args=[case.pk]), form(team, DAY + timedelta(days=1))
    token = token_in(desk.post(url, wanted))
    assert token
    client.force_login(make_doctor())
    answer = client.post(url, {**wanted, "confirmed": token})
    assert answer.status_code == 409
    assert "The front desk can book it even so." in page_of(answer)
    assert token_in(answer) == ""
    assert Booking.objects.count() == 0


def test_absences_closings_and_limits_are_named(desk: Client, case: Case, team: list[Resource]) -> None:
    by = make_user()
    start = datetime(2031, 2, 14, tzinfo=UTC)
    for resource, reason in ((team[1], "illness"), (team[2], "a pipe burst"), (None, "Tết")):
        add_exception(
            resource, adds=False, starts_at=start, ends_at=start + timedelta(days=1), reason=reason, by=by
        )
    change_limits(team[0], nights_a_week=1, rest_hours=None, by=by)
    page = page_of(desk.post(reverse("erasure:book", args=[case.pk]), form(team)))
    span = "from 13 Feb, 19:00 to 14 Feb, 19:00"
    assert f"{team[1].label} is away {span}." in page
    assert f"{team[2].label} is out of service {span}: a pipe burst." in page
    assert page.count(f"The clinic is closed {span}: Tết.") == 1
    assert "illness" not in page
    assert "as many nights" not in page


def test_a_clash_and_an_absence_are_named_together_and_cannot_be_confirmed(
    desk: Client, case: Case, team: list[Resource]
) -> None:
    other = make_case()
    make_keepsake(make_memory(other))
    make_signed(other)
    assert desk.post(reverse("erasure:book", args=[other.pk]), form(team)).status_code == 302
    answer = desk.post(reverse("erasure:book", args=[case.pk]), form(team, begins="19:00"))
    assert answer.status_code == 409
    page = page_of(answer)
    assert f"{team[0].label} is taken from 13 Feb, 20:00 to 14 Feb, 06:00." in page
    assert f"{team[0].label} has no working hours from 13 Feb, 19:00 to 13 Feb, 20:00." in page
    assert token_in(answer) == ""


def test_without_hours_everything_can_be_booked(desk: Client, case: Case) -> None:
    team = [make_doctor().resources.get(), make_technician().resources.get(), make_room()]
    assert desk.post(reverse("erasure:book", args=[case.pk]), form(team)).status_code == 302


def offered(answer: HttpResponse) -> list[str]:
    return re.findall(r'href="(\?[^"]+)#hours"', page_of(answer))


def test_the_page_says_that_nothing_is_free(desk: Client, case: Case, team: list[Resource]) -> None:
    answer = desk.get(reverse("erasure:book", args=[case.pk]), {"place": "home"})
    assert team[2].kind == Resource.Kind.ROOM, "there is no kit"
    assert offered(answer) == []
    assert "In the next 90 days they are never all free at this time of the day." in page_of(answer)


def test_offered_times_depend_on_the_hours_and_on_what_is_chosen(desk: Client, case: Case) -> None:
    doctors = [make_doctor().resources.get() for _ in range(2)]
    technician, room = make_technician().resources.get(), make_room()
    today = timezone.localdate()
    weekday = (today + timedelta(days=3)).weekday()
    change_week(
        technician, {weekday: NIGHTS}, valid_from=today + timedelta(days=1), reason="new", by=make_user()
    )
    url = reverse("erasure:book", args=[case.pk])
    answer = desk.get(
        url, {"place": "clinic", "doctor": str(doctors[1].pk), "begins": "20:00", "ends": "06:00"}
    )
    links = offered(answer)
    assert len(links) == 10
    assert "Next free times" in page_of(answer)
    filled = page_of(desk.get(url + links[-1]))
    for resource in (doctors[1], technician, room):
        assert re.search(f'value="{resource.pk}"[^>]*(selected|checked)', filled), resource
    query = parse_qs(links[-1].removeprefix("?"))
    assert date.fromisoformat(query["day"][0]).weekday() == weekday
    assert desk.post(url, query).status_code == 302
    assert set(Procedure.objects.get(case=case).booking.resources.all()) == {doctors[1], technician, room}


def test_a_night_is_moved_outside_the_hours_only_after_confirming(
    desk: Client, case: Case, team: list[Resource]
) -> None:
    desk.post(reverse("erasure:book", args=[case.pk]), form(team))
    procedure = Procedure.objects.get(case=case)
    url = reverse("erasure:procedure-move", args=[procedure.pk])
    page = desk.get(url)
    assert "Next free times" in page_of(page)
    wanted = MoveForm.initial_of(procedure.booking)
    wanted |= {"day": "2031-02-14", "begins": "20:00", "ends": "06:00"}
    refused = desk.post(url, wanted)
    assert refused.status_code == 409
    assert "has no working hours" in page_of(refused)
    procedure.booking.refresh_from_db()
    assert procedure.booking.starts_at == datetime(2031, 2, 14, 1, tzinfo=UTC)
    assert desk.post(url, {**wanted, "confirmed": token_in(refused)}).status_code == 302
    procedure.booking.refresh_from_db()
    assert procedure.booking.starts_at == datetime(2031, 2, 15, 1, tzinfo=UTC)
    assert Entry.objects.get(action="procedure.moved").details["outside_hours"] == 2
