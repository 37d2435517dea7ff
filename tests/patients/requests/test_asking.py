"""Requesting an appointment: without an account, encrypted, stored once, and throttled."""

import re
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest
from django.conf import settings as django_settings
from django.core import signing
from django.core.cache import cache
from django.db import connection
from django.test import Client

from clinic.accounts.models import Role
from clinic.audit.models import Entry
from patients.requests import throttle, tickets
from patients.requests.decisions import create_request
from patients.requests.models import AppointmentRequest
from patients.vault.configured import key_store
from tests.factories import make_case, make_user

pytestmark = pytest.mark.django_db
PAGE = "/appointment/"
WORDS = "I would like to forget Clementine."


@pytest.fixture(autouse=True)
def empty_cache() -> None:
    cache.clear()


def fields(client: Client, **more: str) -> dict[str, str]:
    """The fields of the filled-in form, with the ticket of a page that was just loaded."""
    found = re.search(r'name="ticket" value="([^"]+)"', client.get(PAGE).content.decode())
    assert found
    return {
        "ticket": found.group(1),
        "name": "Joel Barish",
        "email": "joel@lacuna.example",
        "phone": "",
        "message": WORDS,
        "website": "",
        **more,
    }


def test_a_visitor_requests_an_appointment(client: Client) -> None:
    answer = client.post(PAGE, fields(client))
    assert (answer.status_code, answer["Location"]) == (302, "/appointment/sent/")
    assert client.get("/appointment/sent/").status_code == 200
    row = AppointmentRequest.objects.get()
    assert (row.name, row.email, row.state, row.language) == (
        "Joel Barish",
        "joel@lacuna.example",
        "new",
        "en",
    )
    assert row.read().message == WORDS
    (entry,) = Entry.objects.all()
    assert (entry.action, entry.actor, entry.subject) == ("request.made", "visitor", f"request:{row.pk}")


def test_the_message_is_encrypted_and_gone_when_its_key_is_destroyed(client: Client) -> None:
    client.post(PAGE, fields(client))
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM patients_appointmentrequest")
        stored = " ".join(str(bytes(v) if isinstance(v, memoryview) else v) for v in cursor.fetchone())
    assert "Joel Barish" in stored
    assert "Clementine" not in stored
    assert key_store().destroy(AppointmentRequest.objects.get().pk)
    client.force_login(make_user(Role.RECEPTIONIST))
    page = client.get("/requests/").content.decode()
    assert "Joel Barish" in page
    assert "Clementine" not in page


def test_a_form_sent_twice_makes_one_request(client: Client) -> None:
    twice = fields(client)
    for _time in range(2):
        assert client.post(PAGE, twice)["Location"] == "/appointment/sent/"
    assert AppointmentRequest.objects.count() == Entry.objects.count() == 1


def test_a_key_left_over_from_a_crash_does_not_prevent_the_request(client: Client) -> None:
    again = fields(client)
    key_store().create(tickets.read_ticket(again["ticket"]))
    assert client.post(PAGE, again).status_code == 302
    assert AppointmentRequest.objects.get().read().message == WORDS


def test_a_destroyed_request_cannot_be_made_again(client: Client) -> None:
    again = fields(client)
    ticket = tickets.read_ticket(again["ticket"])
    key_store().create(ticket)
    key_store().destroy(ticket)
    assert client.post(PAGE, again)["Location"] == PAGE
    assert not AppointmentRequest.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_concurrent_posts_of_one_form_make_one_request() -> None:
    ticket = uuid4()

    def send(_number: int) -> object:
        try:
            return create_request(
                ticket=ticket, name="J", email="j@lacuna.example", phone="", message=WORDS, language="en"
            ).pk
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(send, range(4))) == {ticket}
    assert AppointmentRequest.objects.get().read().message == WORDS
    assert Entry.objects.filter(action="request.made").count() == 1


def test_a_forged_ticket_is_refused(client: Client) -> None:
    case = make_case()
    once_more = "Please send it once more."
    for forged, words in (
        (str(case.pk), once_more),
        (signing.dumps(case.pk.hex, salt="another"), once_more),
        ("", "One thing needs another look."),
    ):
        answer = client.post(PAGE, fields(client, ticket=forged))
        assert answer.status_code == 200
        assert words in answer.content.decode()
    assert not AppointmentRequest.objects.exists()
    assert case.read().subject_name == "Clementine"


def test_an_expired_form_keeps_its_text_and_can_be_sent_again(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    late = fields(client)
    monkeypatch.setattr(tickets, "MAX_AGE", -1)
    page = client.post(PAGE, late).content.decode()
    assert WORDS in page
    monkeypatch.undo()
    found = re.search(r'name="ticket" value="([^"]+)"', page)
    assert found
    assert found.group(1) != late["ticket"]
    assert client.post(PAGE, late | {"ticket": found.group(1)}).status_code == 302


@pytest.mark.parametrize(
    "change",
    [{"email": "nobody"}, {"name": ""}, {"website": "https://spam.example"}, {"message": "x" * 4001}],
)
def test_an_invalid_request_is_not_stored(change: dict[str, str], client: Client) -> None:
    assert client.post(PAGE, fields(client, **change)).status_code == 200
    assert not AppointmentRequest.objects.exists()


def test_extra_form_fields_are_ignored(client: Client) -> None:
    client.post(PAGE, fields(client, state="accepted", language="xx", id=str(uuid4())))
    row = AppointmentRequest.objects.get()
    assert (row.state, row.language) == ("new", "en")


def test_requests_are_limited_for_each_address(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throttle, "MAX_PER_HOUR", 2)
    answers = [
        client.post(PAGE, fields(client), HTTP_X_FORWARDED_FOR=f"203.0.113.{n}").status_code for n in range(3)
    ]
    assert answers == [302, 302, 429]
    assert client.post(PAGE, fields(client), REMOTE_ADDR="198.51.100.9").status_code == 302
    client.force_login(make_user(Role.RECEPTIONIST))
    assert client.post(PAGE, fields(client)).status_code == 302


def test_an_ipv6_network_counts_as_one_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throttle, "MAX_PER_HOUR", 2)
    addresses = ["2001:db8:1:2::1", "2001:db8:1:2:ffff::9", "2001:db8:1:2::3", "2001:db8:1:3::1"]
    assert [throttle.too_many(address) for address in addresses] == [False, False, True, False]


@pytest.mark.django_db(transaction=True)
def test_a4_the_limit_holds_for_concurrent_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throttle, "MAX_PER_HOUR", 3)

    def one(_number: int) -> bool:
        try:
            return throttle.too_many("192.0.2.1")
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        refused = list(pool.map(one, range(8)))
    assert refused.count(False) == 3


def test_the_front_desk_can_make_a_request_for_a_caller(client: Client) -> None:
    desk = make_user(Role.RECEPTIONIST)
    client.force_login(desk)
    assert "A request for a caller" in client.get(PAGE).content.decode()
    assert client.post(PAGE, fields(client))["Location"] == "/requests/"
    assert Entry.objects.get(action="request.made").actor == f"user:{desk.pk}"


def test_the_visitors_language_is_stored(client: Client) -> None:
    client.cookies.load({django_settings.LANGUAGE_COOKIE_NAME: "vi"})
    client.post(PAGE, fields(client))
    assert AppointmentRequest.objects.get().language == "vi"
