"""Rooms and home kits, in the browser."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.test import Client
from django.utils import timezone

from clinic.accounts.models import Role
from clinic.audit.models import Entry
from clinic.calendar.bookings import book
from clinic.calendar.models import Resource
from clinic.calendar.places import places
from tests.factories import make_room, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def administrator(client: Client) -> Client:
    client.force_login(make_user(Role.ADMINISTRATOR))
    return client


def test_a_room_and_a_kit_are_added_and_recorded(administrator: Client) -> None:
    for kind, label in (("room", "Night  room "), ("home-kit", "Home kit A")):
        page = administrator.post("/places/", {"do": "add", "kind": kind, "label": label}, follow=True)
        assert "It can be booked now." in page.content.decode()
    assert [(row.kind, row.label, row.in_use) for row in places()] == [
        ("room", "Night room", True),
        ("home-kit", "Home kit A", True),
    ]
    entries = Entry.objects.filter(action="place.added").order_by("index")
    assert [entry.details for entry in entries] == [{"kind": "room"}, {"kind": "home-kit"}]


@pytest.mark.parametrize(
    ("sent", "status", "message"),
    [
        ({"kind": "room", "label": ""}, 422, "This field is required."),
        ({"kind": "room", "label": "r" * 81}, 422, "at most 80 characters"),
        ({"kind": "doctor", "label": "Dr. Who"}, 422, "Select a valid choice."),
        ({"kind": "room", "label": "Night\0room"}, 422, "Null characters are not allowed."),
        ({"kind": "room", "label": "Taken"}, 409, "There is one of this name already."),
    ],
)
def test_an_invalid_place_is_refused_with_a_reason(
    administrator: Client, sent: dict[str, str], status: int, message: str
) -> None:
    Resource.objects.create(kind="room", label="Taken", in_use=False)
    page = administrator.post("/places/", {"do": "add", **sent})
    assert page.status_code == status
    assert message in page.content.decode()
    assert Resource.objects.count() == 1


def test_a_place_goes_out_of_use_with_a_reason_and_comes_back(administrator: Client) -> None:
    room = make_room()
    assert "Please say why it is out of use." in send(administrator, "out", room.pk)
    assert Resource.objects.get(pk=room.pk).in_use
    assert f"{room.label} is out of use. What is booked already stays booked." in send(
        administrator, "out", room.pk, "The ceiling drips."
    )
    assert not Resource.objects.get(pk=room.pk).in_use
    assert Entry.objects.get(action="place.out-of-use").reason == "The ceiling drips."
    assert f"{room.label} is in use again." in send(administrator, "in", room.pk)
    assert Resource.objects.get(pk=room.pk).in_use
    send(administrator, "in", room.pk)
    assert Entry.objects.filter(action="place.in-use").count() == 1


def send(client: Client, do: str, place: object, reason: str = "") -> str:
    answer = client.post("/places/", {"do": do, "place": str(place), "reason": reason}, follow=True)
    assert answer.status_code == 200
    return answer.content.decode()


def test_an_unknown_place_or_action_is_refused_in_words(administrator: Client) -> None:
    doctor = Resource.objects.create(kind="doctor", label="Howard")
    for place in (uuid4(), doctor.pk, "nonsense", ""):
        assert "There is no such room or kit." in send(administrator, "out", place, "why not")
    assert "There is no such room or kit." in send(administrator, "sell", make_room().pk, "money")
    assert Resource.objects.get(pk=doctor.pk).in_use


def test_the_list_says_how_many_bookings_still_need_a_place(administrator: Client) -> None:
    room, by = make_room(), make_user(Role.RECEPTIONIST)
    start = timezone.now() + timedelta(days=1)
    book(kind="visit", resources=[room], starts_at=start, ends_at=start + timedelta(hours=1), by=by)
    book(
        kind="visit",
        resources=[room],
        starts_at=start - timedelta(days=3),
        ends_at=start - timedelta(days=2),
        by=by,
    )
    assert [row.ahead for row in places()] == [1]
