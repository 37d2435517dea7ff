"""A10: a session ends after two hours without use, and twelve hours after signing in."""

import time
from datetime import UTC, datetime

import pytest
from django.conf import settings
from django.contrib.sessions.models import Session
from django.test import Client

from clinic.access.policy import TABLE
from clinic.access.session_limits import SEEN, SINCE, SessionStore
from clinic.accounts.models import Role
from clinic.http.guard import session_of
from tests.factories import PASSPHRASE, make_run, make_user

pytestmark = pytest.mark.django_db
HOUR = 3600


@pytest.fixture
def doctor(client: Client) -> Client:
    """The client of a doctor who has just signed in through the page."""
    user = make_user(Role.DOCTOR)
    client.post("/account/login/", {"login": user.email, "password": PASSPHRASE})
    return client


def key_of(client: Client) -> str:
    return client.cookies[settings.SESSION_COOKIE_NAME].value


def set_age(client: Client, *, since: float, seen: float) -> None:
    """Set a session's times: begun `since` hours ago, last used `seen` hours ago."""
    store, now = SessionStore(key_of(client)), int(time.time())
    store[SINCE], store[SEEN] = now - int(since * HOUR), now - int(seen * HOUR)
    store.save()


def ends_in_hours(client: Client) -> float:
    end = Session.objects.get(pk=key_of(client)).expire_date
    return round((end - datetime.now(UTC)).total_seconds() / HOUR, 2)


def signed_in(client: Client) -> bool:
    return client.get("/account/password/change/").status_code == 200


def test_a_new_session_lasts_two_hours_and_its_cookie_until_the_browser_closes(doctor: Client) -> None:
    assert ends_in_hours(doctor) == 2.0
    cookie = doctor.cookies[settings.SESSION_COOKIE_NAME]
    assert (cookie["max-age"], cookie["expires"]) == ("", "")


def test_use_extends_a_session(doctor: Client) -> None:
    set_age(doctor, since=3, seen=1.5)
    assert ends_in_hours(doctor) == 0.5
    assert signed_in(doctor)
    assert ends_in_hours(doctor) == 2.0


def test_a_session_ends_after_two_idle_hours(doctor: Client) -> None:
    set_age(doctor, since=3, seen=2.01)
    assert session_of(key_of(doctor)) is None, "for streams and uploads too"
    assert not signed_in(doctor)


def test_a_session_ends_after_twelve_hours_even_if_it_is_used(doctor: Client) -> None:
    set_age(doctor, since=11.5, seen=0.5)
    assert signed_in(doctor)
    assert ends_in_hours(doctor) == 0.5
    set_age(doctor, since=12.01, seen=0)
    assert not signed_in(doctor)


def test_automatic_requests_do_not_extend_a_session(doctor: Client) -> None:
    set_age(doctor, since=3, seen=1.5)
    run = make_run(memories=1)
    assert doctor.get("/today/", headers={"Poll": "true"}).status_code == 200
    assert doctor.get("/today/", headers={"HX-Trigger-Name": "poll"}).status_code == 200
    assert doctor.get(f"/sessions/{run.pk}/state.json").status_code == 200
    assert ends_in_hours(doctor) == 0.5
    doctor.post(f"/sessions/{run.pk}/pause/")
    assert ends_in_hours(doctor) == 2.0


def test_quiet_rows_only_read() -> None:
    """Quiet rows do not extend a session. None of them may write, so every change by a person extends it."""
    quiet = {name: row for name, row in TABLE.items() if row.quiet}
    assert "erasure:state" in quiet
    assert [name for name, row in quiet.items() if row.write] == []


def test_a_page_without_a_policy_row_is_refused_without_an_error(
    doctor: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_age(doctor, since=3, seen=1.5)
    monkeypatch.delitem(TABLE, "today")
    assert doctor.get("/today/").status_code == 403


def test_a_request_soon_after_another_does_not_write_the_session(doctor: Client) -> None:
    set_age(doctor, since=1, seen=0)
    before = Session.objects.get(pk=key_of(doctor)).session_data
    assert signed_in(doctor)
    assert Session.objects.get(pk=key_of(doctor)).session_data == before


def test_signing_in_again_starts_a_new_session(doctor: Client) -> None:
    set_age(doctor, since=11, seen=0)
    doctor.post("/account/logout/")
    user = make_user(Role.DOCTOR)
    doctor.post("/account/login/", {"login": user.email, "password": PASSPHRASE})
    assert ends_in_hours(doctor) == 2.0


def test_a_session_without_times_gets_them_on_its_next_request(client: Client) -> None:
    client.force_login(make_user(Role.DOCTOR))
    store = SessionStore(key_of(client))
    del store[SINCE], store[SEEN]
    store.save()
    assert ends_in_hours(client) == 12.0
    assert signed_in(client)
    assert ends_in_hours(client) == 2.0
