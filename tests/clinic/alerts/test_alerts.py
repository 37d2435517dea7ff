"""Alerts on every page of staff: their place, and the fragment that keeps them current."""

from collections.abc import Iterator

import pytest
from django.test import Client
from django.urls import reverse

from clinic.accounts.models import Role, User
from clinic.alerts import sources
from clinic.alerts.sources import Alert, alerts_for, register_alerts
from tests.factories import make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def person() -> Iterator[User]:
    """A member of staff whom something concerns, and nobody else."""
    person = make_user(Role.RECEPTIONIST)
    alert = Alert("Water in the cellar.", "Since noon.", "/today/", "Look", about="/today/wall/")
    register_alerts("test", lambda user: [alert] if user.pk == person.pk else [])
    yield person
    del sources._sources["test"]


def test_every_page_of_staff_shows_what_concerns_them(client: Client, person: User) -> None:
    client.force_login(person)
    for url in ("/today/", "/files/", "/requests/"):
        shown = client.get(url).content.decode()
        assert "<b>Water in the cellar.</b>" in shown
        assert 'href="/today/">Look</a>' in shown
    client.force_login(make_user(Role.RECEPTIONIST))
    shown = client.get("/files/").content.decode()
    assert 'id="alerts"' in shown
    assert "Water" not in shown


def test_a_public_screen_and_a_patients_page_have_no_place_for_them(client: Client, person: User) -> None:
    client.force_login(person)
    assert 'id="alerts"' not in client.get("/today/wall/").content.decode()
    client.force_login(make_user(Role.PATIENT))
    assert 'id="alerts"' not in client.get("/me/").content.decode()
    assert client.get("/alerts/").status_code == 403


def test_what_a_page_says_itself_is_left_out_there(person: User) -> None:
    assert len(alerts_for(person)) == len(alerts_for(person, "/files/")) == 1
    assert alerts_for(person, "/today/wall/") == []


def test_the_fragment_says_nothing_twice(client: Client, person: User) -> None:
    client.force_login(person)
    first = client.get("/alerts/", headers={"HX-Request": "true"})
    assert first.status_code == 200
    assert "Water in the cellar." in first.content.decode()
    digest = first.context["alerts_digest"]
    assert f'name="shown" value="{digest}"' in client.get("/files/").content.decode()
    assert client.get(f"/alerts/?shown={digest}").status_code == 204
    register_alerts("test", lambda user: [])
    second = client.get(f"/alerts/?shown={digest}")
    assert second.status_code == 200
    assert "Water" not in second.content.decode()


def test_an_address_of_the_page_that_cannot_be_read_counts_as_none(client: Client, person: User) -> None:
    client.force_login(person)
    answer = client.get(reverse("alerts"), headers={"HX-Request": "true", "HX-Current-URL": "http://["})
    assert answer.status_code == 200
    assert b"Water in the cellar." in answer.content
