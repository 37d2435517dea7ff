"""Signing in as one of the demonstration's people, and the bar that changes the person."""

import pytest
from django.conf import settings as django_settings
from django.contrib.sessions.models import Session
from django.test import Client
from django.utils.html import escape

from clinic.accounts.models import Role, User
from clinic.audit.models import Entry
from erasure.demo.people_and_rooms import PEOPLE, create_people_and_rooms
from tests.erasure.demo.test_absence import URL
from tests.factories import make_user


@pytest.fixture
def people(demonstration: None) -> dict[str, User]:
    return create_people_and_rooms()


def sign_in_entries() -> list[tuple[str, str]]:
    """The audit entries of sign-ins and refusals: action and actor."""
    return list(
        Entry.objects.filter(action__startswith="person.").order_by("index").values_list("action", "actor")
    )


def test_the_sign_in_page_offers_each_person_and_says_what_to_try(
    people: dict[str, User], client: Client
) -> None:
    page = client.get("/account/login/").content.decode()
    assert page.count('name="person"') == len(PEOPLE) == len({person.key for person in PEOPLE})
    for person in PEOPLE:
        assert f'value="{person.key}"' in page
        assert escape(person.name) in page
        assert escape(str(person.try_this)) in page
    # The sign-in form itself is there too.
    assert 'name="password"' in page


def test_one_click_signs_in_as_each_person(people: dict[str, User]) -> None:
    for person in PEOPLE:
        client, user = Client(), people[person.key]
        answer = client.post(URL, {"person": person.key})
        assert (answer.status_code, answer["Location"]) == (302, "/")
        assert answer["Clear-Site-Data"] == '"cache", "storage"'
        assert client.session["_auth_user_id"] == str(user.pk)
        assert sign_in_entries()[-1] == ("person.signed-in", f"user:{user.pk}")
        page = client.get(answer["Location"], follow=True)
        assert (page.status_code, f"You are {person.name}" in page.content.decode()) == (200, True)
    assert len(sign_in_entries()) == len(PEOPLE)


def test_changing_the_person_is_signing_out_and_in(people: dict[str, User], client: Client) -> None:
    client.post(URL, {"person": "joel"})
    first = client.session.session_key
    client.post(URL, {"person": "stan"})
    assert sign_in_entries() == [
        ("person.signed-in", f"user:{people['joel'].pk}"),
        ("person.signed-out", f"user:{people['joel'].pk}"),
        ("person.signed-in", f"user:{people['stan'].pk}"),
    ]
    assert not Session.objects.filter(session_key=first).exists()
    page = client.get("/today/").content.decode()
    assert 'value="stan"\n          aria-current="true"' in page
    assert 'value="joel"\n          aria-current' not in page


def test_a_page_of_the_previous_person_may_change_the_person_too(
    people: dict[str, User], client: Client
) -> None:
    """What the button does is the same for everybody, so the page's owner does not matter."""
    client.post(URL, {"person": "joel"})
    client.post(URL, {"person": "mary", "page_owner": "0" * 32})
    assert client.session["_auth_user_id"] == str(people["mary"].pk)


def test_signing_in_needs_a_token_and_a_post(people: dict[str, User]) -> None:
    strict = Client(enforce_csrf_checks=True)
    assert strict.post(URL, {"person": "joel"}).status_code == 403
    assert strict.get(URL).status_code == 405
    assert "_auth_user_id" not in strict.session


@pytest.mark.parametrize("key", ["", "nobody", "somebody", "hector", "\0"])
def test_nobody_else_can_be_signed_in(key: str, people: dict[str, User], client: Client) -> None:
    make_user(Role.ADMINISTRATOR, email="somebody@lacuna.example")
    User.objects.filter(pk=people["hector"].pk).update(is_active=False)
    answer = client.post(URL, {"person": key}, follow=True)
    assert answer.redirect_chain == [("/account/login/", 302)]
    assert "Nobody of the demonstration can be signed in by this button now." in answer.content.decode()
    assert "_auth_user_id" not in client.session
    assert sign_in_entries() == []


def test_a_foreign_database_has_neither_bar_nor_sign_in(
    people: dict[str, User], client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("erasure.demo.ownership._log_begins_with_demo", lambda: False)
    assert client.post(URL, {"person": "joel"}).status_code == 404
    assert "demo" not in client.get("/account/login/").content.decode().lower()
    assert sign_in_entries() == []


def test_without_the_setting_the_view_answers_404(
    people: dict[str, User], client: Client, settings: django_settings
) -> None:
    settings.LACUNA_DEMO = False
    assert client.post(URL, {"person": "joel"}).status_code == 404
    assert "demo" not in client.get("/account/login/").content.decode().lower()
