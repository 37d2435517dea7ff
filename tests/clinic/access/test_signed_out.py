"""W1: what a page sends after its sign-in has ended changes nothing, and what was typed is not lost."""

import logging
import re
import time
from collections.abc import Iterator
from html import unescape
from typing import Any

import pytest
from django.conf import LazySettings
from django.contrib.sessions.models import Session
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client, RequestFactory
from django.urls import reverse

from clinic.access import sealed_forms
from clinic.access.page_owner import FIELD, HEADER, owner_mark
from clinic.access.policy import PUBLIC, TABLE
from clinic.access.sealed_forms import seal, unseal
from clinic.access.signed_out import is_from_script, is_same_origin
from clinic.accounts.models import Role, User
from clinic.audit.models import Entry
from patients.requests.models import AppointmentRequest
from tests.clinic.access.doors import Door, doors
from tests.factories import PASSPHRASE, make_case, make_user

pytestmark = pytest.mark.django_db
WORDS = "Ruby Thursday and the blue hair"
INTAKE = "/me/intake/?step=who"
OWN_ORIGIN = {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "navigate"}
# The headers by which requests of scripts are known, one kind a line.
SCRIPTS = (
    {"HX-Request": "true"},
    {"HX-Request": "true", "HX-Boosted": "true"},
    {"Sec-Fetch-Mode": "cors"},
    {"Poll": "true"},
    {"Accept": "application/json"},
)


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL, "django.request")


@pytest.fixture
def patient() -> User:
    return make_case().patient


@pytest.fixture
def browser() -> Client:
    """A browser whose CSRF tokens are checked."""
    return Client(enforce_csrf_checks=True, headers=OWN_ORIGIN)


def sign_in(client: Client, user: User) -> None:
    page = client.get("/account/login/")
    data = {"login": user.email, "password": PASSPHRASE, **tokens(page)}
    assert client.post("/account/login/", data).status_code == 302


def field(page: Any, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]*)"', page.content.decode())
    assert found, name
    return unescape(found[1])


def tokens(page: Any) -> dict[str, str]:
    return {name: field(page, name) for name in ("csrfmiddlewaretoken", FIELD)}


def filled_in_form(client: Client, path: str = INTAKE) -> dict[str, str]:
    """Return the data of the form on a page, as if somebody had filled it in."""
    page = client.get(path)
    filled_in = {"subject_name": WORDS, "since": "", "until": ""}
    return {**tokens(page), "based_on": field(page, "based_on"), **filled_in}


def end_sessions() -> None:
    """Delete all sessions, as happens after two idle hours, from another device, or with a deployment."""
    Session.objects.all().delete()


def stored_name(patient: User) -> str:
    """Return the subject's name that is stored in the patient's case."""
    return str(patient.cases.get().read().subject_name)


def stored_answers(patient: User) -> Any:
    return patient.cases.get().read().answers


def closed_doors() -> Iterator[Door]:
    """Every URL that needs sign-in."""
    return (
        door
        for door in doors()
        if door.name in TABLE and TABLE[door.name].read != PUBLIC != TABLE[door.name].write
    )


def url_of(door: Door) -> str:
    ids = "00000000-0000-4000-8000-000000000000"
    words = {"token": "a-token", "uidb36": "1z", "key": "a-key"}
    return reverse(door.name, kwargs={word: words.get(word, ids) for word in door.keywords})


# --- Scripts ---


@pytest.mark.parametrize("headers", SCRIPTS, ids=lambda headers: " ".join(headers))
def test_w1_every_request_of_a_script_gets_401_and_no_page(headers: dict[str, str], client: Client) -> None:
    before, asked = Entry.objects.count(), 0
    for door in closed_doors():
        for method in ("get", "post"):
            answer = getattr(client, method)(url_of(door), headers=headers)
            if (TABLE[door.name].read, TABLE[door.name].write) == ((), ()):
                continue  # closed to everybody
            found = (door.name, answer.status_code, answer.headers.get("WWW-Authenticate"), answer.content)
            assert found == (door.name, 401, "Session", b"Please sign in.")
            asked += 1
    assert asked > 150
    assert Entry.objects.count() == before


@pytest.mark.parametrize(
    "headers", [{}, {"Sec-Fetch-Mode": "navigate"}, {"Accept": "text/html,application/json"}]
)
def test_w1_a_browser_that_follows_a_link_is_sent_to_the_sign_in_page(
    headers: dict[str, str], client: Client
) -> None:
    assert client.get("/today/", headers=headers)["Location"] == "/account/login/?next=/today/"


def test_w1_what_a_script_sends_after_the_sessions_end_changes_nothing(
    browser: Client, patient: User
) -> None:
    sign_in(browser, patient)
    data, before = filled_in_form(browser), (stored_name(patient), stored_answers(patient))
    end_sessions()
    answer = browser.post(INTAKE, data, headers={"HX-Request": "true"})
    assert (answer.status_code, answer["WWW-Authenticate"]) == (401, "Session")
    assert WORDS not in answer.content.decode()
    assert (stored_name(patient), stored_answers(patient)) == before
    sign_in(browser, patient)
    stale = browser.post(INTAKE, data, headers={"HX-Request": "true"})
    assert (stale.status_code, stale["Stale-Token"]) == (403, "1")
    state = browser.get("/account/state/").json()
    assert state["owner"] == data[FIELD] == owner_mark(patient)
    data["csrfmiddlewaretoken"] = state["csrf"]
    assert browser.post(INTAKE, data, headers={"HX-Request": "true"}).status_code == 302
    assert stored_name(patient) == WORDS


def test_w1_a_script_of_another_person_s_page_is_told_to_leave(browser: Client, patient: User) -> None:
    sign_in(browser, patient)
    mark = owner_mark(patient)
    end_sessions()
    other = make_case().patient
    sign_in(browser, other)
    token = browser.get("/account/state/").json()["csrf"]
    before = stored_answers(other)
    for headers in ({"HX-Request": "true", HEADER: mark}, {"HX-Request": "true"}):
        data = {"csrfmiddlewaretoken": token, FIELD: mark, "subject_name": WORDS}
        answer = browser.post(INTAKE, data, headers=headers)
        assert (answer.status_code, answer["HX-Redirect"]) == (401, "/")
    answer = browser.get("/me/", headers={"HX-Request": "true", HEADER: mark})
    assert (answer.status_code, answer["HX-Redirect"]) == (401, "/")
    assert stored_answers(other) == before


def test_w1_the_state_does_not_extend_a_session_and_names_nobody(browser: Client, patient: User) -> None:
    assert browser.get("/account/state/").json()["owner"] == ""
    sign_in(browser, patient)
    answer = browser.get("/account/state/")
    assert answer.json().keys() == {"owner", "csrf"}
    assert answer["Cache-Control"].count("no-store") == 1
    assert TABLE["account-state"].quiet


# --- Forms that are sent whole ---


def test_w1_a_form_that_comes_too_late_is_kept_sealed_and_sent(browser: Client, patient: User) -> None:
    sign_in(browser, patient)
    data = filled_in_form(browser)
    end_sessions()
    page = browser.post(INTAKE, data)
    assert (page.status_code, page["WWW-Authenticate"]) == (401, "Session")
    assert "Ruby" not in page.content.decode()
    assert stored_name(patient) != WORDS
    sealed = field(page, "sealed")
    wrong = browser.post(
        "/account/return/", {**tokens(page), "sealed": sealed, "login": patient.email, "password": "no"}
    )
    assert "Ruby" not in wrong.content.decode()
    assert field(wrong, "sealed") == sealed
    answers = {**tokens(wrong), "sealed": sealed, "login": patient.email, "password": PASSPHRASE}
    page = browser.post("/account/return/", answers)
    assert page.status_code == 200
    assert f'action="{INTAKE}"' in page.content.decode()
    assert "data-send-now" in page.content.decode()
    assert stored_name(patient) != WORDS
    carried = {name: field(page, name) for name in ("subject_name", "based_on")}
    again = {**tokens(page), **carried, "sent_again": "1"}
    assert browser.post(INTAKE, again).status_code == 302
    assert stored_name(patient) == WORDS


def test_w1_somebody_else_gets_nothing_of_a_form_that_came_too_late(browser: Client, patient: User) -> None:
    sign_in(browser, patient)
    data = filled_in_form(browser)
    end_sessions()
    page = browser.post(INTAKE, data)
    other = make_case().patient
    answers = {**tokens(page), "sealed": field(page, "sealed"), "login": other.email, "password": PASSPHRASE}
    answer = browser.post("/account/return/", answers)
    assert (answer.status_code, answer["Location"], answer.content) == (302, "/", b"")
    assert stored_name(other) != WORDS
    assert "Ruby" not in browser.get("/me/").content.decode()


def test_w1_after_a_sign_in_in_another_window_the_form_is_shown_but_not_sent(
    browser: Client, patient: User
) -> None:
    sign_in(browser, patient)
    data = filled_in_form(browser)
    end_sessions()
    page = browser.post(INTAKE, data)
    sign_in(browser, patient)
    stale = browser.post("/account/return/", {**tokens(page), "sealed": field(page, "sealed")})
    assert stale.status_code == 403
    again = browser.post(
        "/account/return/", {**tokens(stale), "sealed": field(stale, "sealed"), "sent_again": "1"}
    )
    assert (again.status_code, field(again, "subject_name")) == (200, WORDS)
    assert "data-send-now" not in again.content.decode()


def test_w1_a_form_of_an_earlier_sign_in_of_the_same_person_is_sent_once_more(
    browser: Client, patient: User
) -> None:
    sign_in(browser, patient)
    data = filled_in_form(browser)
    end_sessions()
    sign_in(browser, patient)
    page = browser.post(INTAKE, data)
    assert page.status_code == 403
    assert "data-send-now" in page.content.decode()
    again = {**data, **tokens(page), "subject_name": field(page, "subject_name"), "sent_again": "1"}
    assert browser.post(INTAKE, again).status_code == 302
    assert stored_name(patient) == WORDS
    never = browser.post(INTAKE, {**again, "csrfmiddlewaretoken": "x" * 64})
    assert "data-send-now" not in never.content.decode(), "a form that sends itself does so once"


@pytest.mark.parametrize(
    "headers", [{"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://elsewhere.example"}, {}]
)
def test_w1_a_stale_form_from_another_origin_gets_403_without_its_text(
    headers: dict[str, str], browser: Client, patient: User
) -> None:
    sign_in(browser, patient)
    data = filled_in_form(browser)
    foreign = Client(enforce_csrf_checks=True)
    foreign.cookies = browser.cookies
    answer = foreign.post(INTAKE, {**data, "csrfmiddlewaretoken": "x" * 64}, headers=headers)
    assert answer.status_code == 403
    assert WORDS not in answer.content.decode()
    assert Entry.objects.filter(action="access.denied").count() == 1
    end_sessions()
    answer = foreign.post(INTAKE, {**data, "csrfmiddlewaretoken": "x" * 64}, headers=headers)
    assert (answer.status_code, "sealed" in answer.content.decode()) == (403, False)


def test_w1_a_form_of_another_person_s_page_does_nothing_and_shows_nothing(
    browser: Client, patient: User
) -> None:
    sign_in(browser, patient)
    data = filled_in_form(browser)
    end_sessions()
    other = make_case().patient
    sign_in(browser, other)
    before = stored_name(other)
    token = browser.get("/account/state/").json()["csrf"]
    for csrf in (data["csrfmiddlewaretoken"], token):
        answer = browser.post(INTAKE, {**data, "csrfmiddlewaretoken": csrf})
        assert answer.status_code == 403
        assert "an earlier sign-in" in answer.content.decode()
        assert "Ruby" not in answer.content.decode()
    assert stored_name(other) == before


def test_w1_a_page_made_before_signing_in_may_send_only_public_forms(browser: Client, patient: User) -> None:
    sign_in(browser, patient)
    token = {"csrfmiddlewaretoken": browser.get("/account/state/").json()["csrf"], FIELD: ""}
    assert browser.post(INTAKE, {**token, "subject_name": WORDS}).status_code == 403
    assert stored_name(patient) != WORDS
    assert browser.post("/appointment/", token).status_code == 200
    assert browser.post("/language/", {**token, "language": "vi"}).status_code == 302


def test_w1_a_member_of_staff_who_is_signed_out_does_not_become_a_visitor(browser: Client) -> None:
    desk = make_user(Role.RECEPTIONIST)
    sign_in(browser, desk)
    page = browser.get("/appointment/")
    data = {**tokens(page), "ticket": field(page, "ticket"), "name": "Rob", "email": "rob@visitor.example"}
    end_sessions()
    assert browser.post("/appointment/", data).status_code == 401
    assert AppointmentRequest.objects.count() == 0


def test_w1_a_request_without_an_owner_mark_is_not_refused_for_it(client: Client, patient: User) -> None:
    """Programs send no owner mark. A page of an earlier release has none either."""
    assert client.post(INTAKE, {"subject_name": WORDS})["Location"].startswith("/account/login/?next=")
    client.force_login(patient)
    based_on = field(client.get(INTAKE), "based_on")
    assert client.post(INTAKE, {"subject_name": WORDS, "based_on": based_on}).status_code == 302
    assert stored_name(patient) == WORDS


def test_w1_owner_marks_and_sealed_forms_of_a_former_secret_key_are_valid(
    browser: Client, patient: User, settings: LazySettings
) -> None:
    sign_in(browser, patient)
    data = filled_in_form(browser)
    sealed = seal(data[FIELD], INTAKE, RequestFactory().post("/", data).POST)
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "another secret" * 4, [settings.SECRET_KEY]
    assert owner_mark(patient) != data[FIELD]
    assert browser.post(INTAKE, data).status_code == 302
    assert stored_name(patient) == WORDS
    page = browser.get("/me/intake/")
    answer = browser.post("/account/return/", {**tokens(page), "sealed": sealed})
    assert field(answer, "subject_name") == WORDS


def test_w1_a_sealed_form_sends_itself_for_ten_minutes_and_opens_until_max_age(
    browser: Client, patient: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    sealed = seal(owner_mark(patient), INTAKE, RequestFactory().post("/", {"subject_name": WORDS}).POST)
    sign_in(browser, patient)
    now = time.time()
    for age, automatic in ((599, True), (601, False), (sealed_forms.MAX_AGE - 5, False)):
        monkeypatch.setattr(sealed_forms.time, "time", lambda age=age: now + age)
        page = browser.post("/account/return/", {**tokens(browser.get("/me/")), "sealed": sealed})
        assert field(page, "subject_name") == WORDS
        assert ("data-send-now" in page.content.decode()) is automatic
    monkeypatch.setattr(sealed_forms.time, "time", lambda: now + sealed_forms.MAX_AGE + 5)
    late = browser.post("/account/return/", {**tokens(browser.get("/me/")), "sealed": sealed}, follow=True)
    assert "had waited too long" in late.content.decode()
    assert "Ruby" not in late.content.decode()


@pytest.mark.parametrize("sealed", ["", "x", "é", "AAAA" * 20, "A" * 15])
def test_w1_text_that_the_server_did_not_seal_is_ignored(sealed: str, browser: Client, patient: User) -> None:
    sign_in(browser, patient)
    answer = browser.post("/account/return/", {**tokens(browser.get("/me/")), "sealed": sealed})
    assert (answer.status_code, answer["Location"]) == (302, "/")


def test_w1_a_sealed_form_opens_unchanged_and_with_its_own_mark_only(patient: User) -> None:
    data = RequestFactory().post("/", {"a": ["1", "2"], "b": "é\r\nx", "password": "secret", FIELD: "m"}).POST
    sealed = seal("one", "/somewhere/?a=b", data)
    found = unseal(sealed, ["none", "one"])
    assert (found.path, found.fields) == ("/somewhere/?a=b", [("a", "1"), ("a", "2"), ("b", "é\r\nx")])
    changed = sealed[:40] + ("A" if sealed[40] != "A" else "B") + sealed[41:]
    for text, marks in ((sealed, ["two"]), (sealed, []), (changed, ["one"])):
        with pytest.raises(sealed_forms.Unreadable):
            unseal(text, marks)


def test_w1_a_form_that_is_too_long_for_a_page_says_so(
    browser: Client, patient: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    sign_in(browser, patient)
    data = filled_in_form(browser)
    end_sessions()
    monkeypatch.setattr(sealed_forms, "MAX_LENGTH", 100)
    answer = browser.post(INTAKE, data)
    assert answer.status_code == 401
    assert "too long for this page" in answer.content.decode()


def test_w1_passphrases_are_never_carried(patient: User) -> None:
    """Every field for a passphrase in forms and templates has a name that is left out."""
    from tests.clinic.access.forms_walk import passphrase_names

    names = passphrase_names()
    assert len(names) >= 4
    assert names - sealed_forms.PASSPHRASES == set()


@pytest.mark.parametrize("headers", SCRIPTS, ids=lambda headers: " ".join(headers))
def test_scripts_are_known_by_their_headers(headers: dict[str, str]) -> None:
    assert is_from_script(RequestFactory(headers=headers).get("/"))


@pytest.mark.parametrize(
    ("headers", "same"),
    [
        ({"Sec-Fetch-Site": "same-origin", "Origin": "null"}, True),
        ({"Sec-Fetch-Site": "same-site", "Origin": "http://testserver"}, False),
        ({"Origin": "http://testserver"}, True),
        ({"Origin": "https://testserver"}, False),
        ({"Origin": "http://testserver:8000"}, False),
        ({"Origin": "null"}, False),
        ({}, False),
    ],
)
def test_the_browsers_headers_decide_whether_a_form_is_of_the_same_origin(
    headers: dict[str, str], same: bool
) -> None:
    assert is_same_origin(RequestFactory(headers=headers).post("/")) is same


def test_w1_the_check_of_a_certificate_can_read_its_upload_itself(browser: Client) -> None:
    """The check of a certificate is public, so the middleware does not read its upload for an owner mark."""
    desk = make_user(Role.RECEPTIONIST)
    sign_in(browser, desk)
    page = browser.get("/v/")
    file = SimpleUploadedFile("certificate.json", b"{}")
    assert browser.post("/v/", {**tokens(page), "certificate": file}).status_code < 500


def test_w4_signing_out_empties_the_browser(browser: Client, patient: User) -> None:
    sign_in(browser, patient)
    page = browser.get("/me/")
    stale = browser.post("/account/logout/", {**tokens(page), "csrfmiddlewaretoken": "x" * 64})
    assert "Clear-Site-Data" not in stale
    answer = browser.post("/account/logout/", tokens(page))
    assert answer["Clear-Site-Data"] == '"cache", "storage"'
