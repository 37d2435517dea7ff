"""The front door sends everyone where their work is."""

import pytest
from django.test import Client

from clinic.access.navigation import LINKS
from clinic.access.policy import allowed
from clinic.accounts.models import Role
from tests.factories import make_case, make_user

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("roles", "place"),
    [
        ([Role.RECEPTIONIST], "/today/"),
        ([Role.TECHNICIAN], "/today/"),
        ([Role.DOCTOR], "/today/"),
        ([Role.DOCTOR, Role.RECEPTIONIST], "/today/"),
        ([Role.AUDITOR], "/audit/"),
        ([Role.ADMINISTRATOR], "/audit/"),
        ([Role.PATIENT], "/me/"),
    ],
)
def test_who_has_one_place_goes_there(roles: list[str], place: str, client: Client) -> None:
    client.force_login(make_user(*roles))
    assert client.get("/")["Location"] == place


def test_who_has_several_places_chooses(client: Client) -> None:
    client.force_login(make_user(Role.TECHNICIAN, Role.PATIENT, Role.AUDITOR))
    page = client.get("/").content.decode()
    assert [place in page for place in ('href="/today/"', 'href="/audit/"', 'href="/me/"')] == [True] * 3


def test_who_has_no_role_is_told(client: Client) -> None:
    client.force_login(make_user())
    assert "Your account has no role at the moment." in client.get("/").content.decode()


def test_a_visitor_sees_the_door(client: Client) -> None:
    page = client.get("/").content.decode()
    assert 'href="/appointment/"' in page
    assert 'href="/account/login/"' in page


def test_a_visitor_chooses_the_language(client: Client) -> None:
    answer = client.post("/language/", {"language": "vi", "next": "/"})
    assert answer.status_code == 302
    assert '<html lang="vi"' in client.get("/").content.decode()


def test_the_house_says_that_it_is_well(client: Client) -> None:
    answer = client.get("/health/")
    assert (answer.status_code, answer.content) == (200, b"ok")


@pytest.mark.parametrize("role", list(Role))
def test_the_header_leads_only_where_one_may_go_and_everywhere_it_could(role: str, client: Client) -> None:
    user = make_user(role)
    if role == Role.PATIENT:
        make_case(user)
    client.force_login(user)
    page = client.get("/account/password/change/")
    shown = [item.url for item in page.context["nav"]]
    assert shown
    assert len(shown) == sum(allowed(user, name, {}, "GET").allowed for name, _label in LINKS)
    for url in shown:
        assert client.get(url).status_code in {200, 302, 404 if url == "/outbox/" else 200}
