"""Alerts on the pages of staff, and the fragment that updates them."""

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
def concerned() -> Iterator[User]:
    """A member of staff for whom there is an alert, and for nobody else."""
    concerned = make_user(Role.RECEPTIONIST)
    alert = Alert("Water in the cellar.", "Since noon.", "/today/", "Look", about="/today/wall/")
    register_alerts("test", lambda user: [alert] if user.pk == concerned.pk else [])
    yield concerned
    del sources._sources["test"]


def test_staff_pages_show_the_alerts_of_the_person(client: Client, concerned: User) -> None:
    client.force_login(concerned)
    for url in ("/today/", "/files/", "/requests/"):
        shown = client.get(url).content.decode()
        assert "<b>Water in the cellar.</b>" in shown
        assert 'href="/today/">Look</a>' in shown
    client.force_login(make_user(Role.RECEPTIONIST))
    shown = client.get("/files/").content.decode()
    assert 'id="alerts"' in shown
    assert "Water" not in shown


def test_the_public_screen_and_patient_pages_have_no_alerts(client: Client, concerned: User) -> None:
    client.force_login(concerned)
    assert 'id="alerts"' not in client.get("/today/wall/").content.decode()
    client.force_login(make_user(Role.PATIENT))
    assert 'id="alerts"' not in client.get("/me/").content.decode()
    assert client.get("/alerts/").status_code == 403


def test_an_alert_is_left_out_on_the_page_it_is_about(concerned: User) -> None:
    assert len(alerts_for(concerned)) == len(alerts_for(concerned, "/files/")) == 1
    assert alerts_for(concerned, "/today/wall/") == []


def test_the_fragment_is_empty_if_nothing_has_changed(client: Client, concerned: User) -> None:
    client.force_login(concerned)
    first = client.get("/alerts/", headers={"HX-Request": "true"})
    assert first.status_code == 200
    assert "Water in the cellar." in first.content.decode()
    digest = first.context["alerts_shown"]
    assert f'name="shown" value="{digest}"' in client.get("/files/").content.decode()
    assert client.get(f"/alerts/?shown={digest}").status_code == 204
    register_alerts("test", lambda user: [])
    second = client.get(f"/alerts/?shown={digest}")
    assert second.status_code == 200
    assert "Water" not in second.content.decode()


def test_an_invalid_hx_current_url_is_ignored(client: Client, concerned: User) -> None:
    client.force_login(concerned)
    answer = client.get(reverse("alerts"), headers={"HX-Request": "true", "HX-Current-URL": "http://["})
    assert answer.status_code == 200
    assert b"Water in the cellar." in answer.content
