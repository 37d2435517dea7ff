"""W1: a sign-in ends while a page is open. What was typed stays, and is sent once the same person is back."""

import os
import re
import time
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.contrib.sessions.models import Session
from playwright.sync_api import Browser, Locator, Page, Response, Route, expect

from clinic.access.session_limits import SEEN, SINCE, SessionStore
from clinic.accounts.models import Invitation, Role, User
from patients.cases.models import Case
from patients.drafts.models import Draft
from patients.memories.models import Memory
from patients.requests.models import AppointmentRequest
from patients.vault.models import StoredObject
from patients.vault.objects import read
from patients.vault.stream import SEGMENT
from tests.browser.browsing import DESK, PHONE, OpenSite, Visitor
from tests.browser.test_access import violations_at_both_sizes
from tests.browser.watching import served
from tests.factories import (
    PASSPHRASE,
    jpeg,
    make_case,
    make_doctor,
    make_keepsake,
    make_memory,
    make_request,
    make_user,
)
from tests.processes import until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser]

WORDS = "Ruby Thursday and the blue hair"
PIECE = 8 * 1024 * 1024  # bytes: as static/upload/sending.js sends a file
INTAKE = "/me/intake/?step=who"
PICTURES = os.environ.get("LACUNA_SCREENSHOTS", "")


def leave_idle(_user: User) -> None:
    """Make it two hours and five seconds since the session was used."""
    for row in Session.objects.all():
        store, now = SessionStore(row.pk), int(time.time())
        store[SINCE], store[SEEN] = now - 3 * 3600, now - 2 * 3600 - 5
        store.save()


def change_passphrase_elsewhere(user: User) -> None:
    """Change the passphrase as from another device, which closes all other sessions."""
    user.set_password(PASSPHRASE)
    user.save(update_fields=["password"])


def delete_sessions(_user: User) -> None:
    """Delete all sessions, as a deployment may do."""
    Session.objects.all().delete()


def sign_in_panel(page: Page) -> Locator:
    return page.locator(".page-notice", has=page.locator("[data-sign-in]"))


def sign_in(page: Page, user: User, passphrase: str = PASSPHRASE) -> None:
    if sign_in_panel(page).locator("[data-part=open]").is_visible():
        sign_in_panel(page).locator("[data-part=open]").click()
    sign_in_panel(page).locator("[name=login]").fill(user.email)
    sign_in_panel(page).locator("[name=password]").fill(passphrase)
    sign_in_panel(page).locator("[type=submit]").click()


def remove_complaints(person: Visitor, status: str = "401 (Unauthorized)") -> None:
    """Remove the browser's complaints about requests with this status. There must be at least one."""
    kept = [complaint for complaint in person.complaints if status not in complaint]
    assert len(kept) < len(person.complaints)
    person.complaints[:] = kept


def drafts_of(case: Case) -> str:
    """What is kept of what was typed into forms of this case."""
    return str([row.read().values for row in Draft.objects.live().filter(case=case)])


def take_pictures(page: Page, name: str) -> None:
    if PICTURES:
        for size in (DESK, PHONE):
            page.set_viewport_size(size)
            page.screenshot(path=f"{PICTURES}/signed-out-{name}-{size['width']}.png", caret="initial")
        page.set_viewport_size(DESK)


def visit(site: OpenSite, user: User, path: str, **options: object) -> Visitor:
    person = site.visitor(user, **options)
    person.go(path)
    return person


@pytest.mark.parametrize(
    ("end", "locale"),
    [
        (leave_idle, "en-US"),
        (change_passphrase_elsewhere, "vi-VN"),
        (delete_sessions, "vi-VN"),
        (delete_sessions, "en-US"),
    ],
    ids=["idle", "closed elsewhere, vi", "deleted, vi", "deleted"],
)
def test_w1_what_is_typed_into_the_intake_waits_for_its_owner(
    end: object, locale: str, chromium: Browser
) -> None:
    case = make_case()
    with served(chromium) as site:
        patient = visit(site, case.patient, INTAKE, locale=locale)
        page = patient.page
        end(case.patient)  # type: ignore[operator]
        field = page.locator("[name=subject_name]")
        field.fill(WORDS)
        expect(sign_in_panel(page)).to_be_visible()
        take_pictures(page, f"panel-{locale[:2]}")
        assert page.url == site.address + INTAKE
        expect(page.locator("h1")).to_have_count(1)
        expect(field).to_have_value(WORDS)
        expect(field).to_be_focused()
        assert WORDS not in drafts_of(case)
        sign_in(page, case.patient, "not the passphrase")
        expect(sign_in_panel(page).locator("[data-part=refusal]")).not_to_be_empty()
        expect(field).to_have_value(WORDS)
        field.fill(f"{WORDS} too")
        sign_in(page, case.patient)
        expect(sign_in_panel(page)).to_have_count(0)
        expect(page.locator("[data-draft-status]")).not_to_be_empty()
        until(lambda: f"{WORDS} too" in drafts_of(case), "the draft is kept")
        page.locator("form#intake [type=submit]").click()
        expect(page).to_have_url(re.compile("step=(?!who)"))
        assert Case.objects.get(pk=case.pk).read().subject_name == f"{WORDS} too"
        remove_complaints(patient)
        remove_complaints(patient, "400 (Bad Request)")


def test_w1_axe_finds_nothing_in_what_asks_to_sign_in(chromium: Browser) -> None:
    """The panel, folded and open, and the pages of a form that came too late."""
    case = make_case()
    with served(chromium) as site:
        patient = visit(site, case.patient, INTAKE)
        page = patient.page
        delete_sessions(case.patient)
        page.locator("[name=subject_name]").fill(WORDS)
        expect(sign_in_panel(page)).to_be_visible()
        assert violations_at_both_sizes(page, Axe()) == []
        sign_in_panel(page).locator("[data-part=open]").click()
        assert violations_at_both_sizes(page, Axe()) == []
        remove_complaints(patient)
        plain = site.visitor(case.patient)
        plain.go("/me/memories/new/")
        plain.page.locator("[name=title]").fill(WORDS)
        plain.page.locator("[name=intensity][value='3']").check(force=True)
        delete_sessions(case.patient)
        plain.page.locator("main form [type=submit]").last.click()
        plain.page.locator("[name=password]").wait_for()
        assert violations_at_both_sizes(plain.page, Axe()) == []
        remove_complaints(plain)


def test_w1_a_decision_is_made_once_its_owner_is_back(chromium: Browser) -> None:
    """A row of the requests: the button that was pressed, and the word to the visitor."""
    desk = make_user(Role.RECEPTIONIST)
    row = make_request("Rob")
    other = make_request("Carrie")
    with served(chromium) as site:
        person = visit(site, desk, "/requests/")
        page = person.page
        mine = page.locator(f"#request-{row.pk}")
        mine.locator("textarea").fill("Next week, perhaps.")
        delete_sessions(desk)
        mine.locator("[value=decline]").click()
        expect(sign_in_panel(page)).to_be_visible()
        expect(sign_in_panel(page).locator("[name=login]")).to_be_focused()
        expect(mine.locator("textarea")).to_have_value("Next week, perhaps.")
        row.refresh_from_db()
        assert row.state == "new"
        page.keyboard.press("Escape")
        expect(sign_in_panel(page).locator("[name=login]")).to_be_hidden()
        expect(mine.locator("[value=decline]")).to_be_focused()
        mine.locator("[value=hold]").press("Enter")
        sent: list[str] = []
        page.on("request", lambda one: sent.append(one.url.split("/")[3]) if one.method == "POST" else None)
        sign_in(page, desk)
        expect(sign_in_panel(page)).to_have_count(0)
        until(lambda: AppointmentRequest.objects.get(pk=row.pk).state == "held", "the request is held")
        expect(page.locator(f"#request-{other.pk}")).to_be_visible()
        # The sign-in waits for nothing, the words go first, and of two presses the last one goes.
        assert sent == ["account", "drafts", "requests"]
        remove_complaints(person)


def test_w1_an_upload_goes_on_at_its_place_after_signing_in(chromium: Browser, tmp_path: Path) -> None:
    """A sign-in ends between two pieces of a file. No piece is sent twice, and nothing is chosen again."""
    case = make_case()
    photo = tmp_path / "motel.jpg"
    photo.write_bytes(jpeg((800, 600)) + bytes(PIECE + 1000))
    with served(chromium) as site:
        patient = visit(site, case.patient, "/me/keepsakes/")
        page = patient.page
        sent: list[tuple[str, int]] = []  # offset and answer of each piece

        def send_piece(route: Route) -> None:
            if route.request.method == "PATCH" and len(sent) == 1:
                delete_sessions(case.patient)
            route.continue_()

        def on_response(response: Response) -> None:
            if response.request.method == "PATCH":
                sent.append((response.request.headers["upload-offset"], response.status))

        page.on("response", on_response)
        page.route("**/upload/*", send_piece)
        page.locator("#files").set_input_files(photo)
        expect(sign_in_panel(page)).to_be_visible()
        assert not case.keepsakes.exists()
        sign_in(page, case.patient)
        expect(sign_in_panel(page)).to_have_count(0)
        until(lambda: page.evaluate("1") and len(sent) == 3, "the second piece is sent again")
        assert [status for _offset, status in sent] == [204, 401, 204]
        assert int(sent[2][0]) == int(sent[1][0]) > PIECE - SEGMENT, "what has arrived is not sent again"
        original = StoredObject.objects.get(keepsake__case=case, role="original")
        assert read(original) == photo.read_bytes()
        remove_complaints(patient)


def test_w1_a_page_that_asks_by_itself_asks_once_to_sign_in(chromium: Browser) -> None:
    """The day board and its alerts."""
    doctor = make_doctor()
    with served(chromium) as site:
        person = visit(site, doctor, "/today/")
        page = person.page
        before = page.locator("#board").inner_html()
        polls: list[str] = []
        page.on("request", lambda request: polls.append(request.url) if "poll" in request.headers else None)
        delete_sessions(doctor)
        expect(sign_in_panel(page)).to_have_count(1)
        assert len(polls) == 1
        page.evaluate("htmx.trigger('#board', 'every')")
        assert page.locator("#board").inner_html() == before
        sign_in(page, doctor)
        expect(sign_in_panel(page)).to_have_count(0)
        until(lambda: page.evaluate("1") == 1 and len(polls) > 1, "the alerts are asked for again")
        expect(sign_in_panel(page)).to_have_count(0)
        assert page.url == f"{site.address}/today/"
        remove_complaints(person)


def test_w1_a_search_waits_for_the_sign_in(chromium: Browser) -> None:
    make_case(make_user(Role.PATIENT, name="Joel Barish"))
    doctor = make_doctor()
    with served(chromium) as site:
        person = visit(site, doctor, "/files/")
        page = person.page
        delete_sessions(doctor)
        page.locator("#name").press_sequentially("nobody")
        expect(sign_in_panel(page)).to_be_visible()
        expect(page.locator("#files")).to_contain_text("Joel Barish")
        sign_in(page, doctor)
        expect(page.locator("#files")).not_to_contain_text("Joel Barish")
        expect(page.locator("#name")).to_have_value("nobody")
        remove_complaints(person)


def test_w1_the_mapping_bench_keeps_what_was_said(chromium: Browser) -> None:
    case = make_case()
    memory = make_memory(case)
    make_keepsake(memory)
    Case.objects.filter(pk=case.pk).update(stage=Case.Stage.REVIEW)
    doctor = make_doctor()
    with served(chromium) as site:
        person = visit(site, doctor, f"/files/{case.pk}/map/")
        page = person.page
        page.locator("#bench [name=reaction]").fill(WORDS)
        delete_sessions(doctor)
        page.locator("#bench form[hx-post] button.button--primary").first.click()
        expect(sign_in_panel(page)).to_be_visible()
        expect(page.locator("#bench [name=reaction]")).to_have_value(WORDS)
        sign_in(page, doctor)
        until(lambda: WORDS in str(Memory.objects.get(pk=memory.pk).read()), "it is written down")
        remove_complaints(person)


@pytest.mark.parametrize("locale", ["en-US", "vi-VN"])
def test_w1_a_whole_form_asks_before_it_leaves_its_page(locale: str, chromium: Browser) -> None:
    case = make_case()
    with served(chromium) as site:
        patient = site.visitor(case.patient, locale=locale)
        page = patient.page
        page.clock.install()
        patient.go("/me/memories/new/")
        page.locator("[name=title]").fill(WORDS)
        page.locator("[name=intensity][value='3']").check(force=True)
        delete_sessions(case.patient)
        page.clock.fast_forward(61_000)
        page.locator("main form [type=submit]").last.click()
        expect(sign_in_panel(page)).to_be_visible()
        expect(page.locator("[name=title]")).to_have_value(WORDS)
        sign_in(page, case.patient)
        until(lambda: case.memories.count() == 1, "the memory is written")
        assert case.memories.get().read().title == WORDS
        # Its draft is refused if it was not kept before the sign-in ended; the form itself asks, and is not.
        refused = [text for text in patient.complaints if "401 (Unauthorized)" in text]
        assert len(refused) <= 1
        patient.complaints = [text for text in patient.complaints if text not in refused]


@pytest.mark.parametrize("locale", ["en-US", "vi-VN"])
def test_w1_a_whole_form_that_came_too_late_is_kept_and_sent(locale: str, chromium: Browser) -> None:
    """Without a script; with one, the draft has asked to sign in before."""
    case = make_case()
    with served(chromium) as site:
        patient = visit(site, case.patient, "/me/memories/new/", locale=locale, java_script_enabled=False)
        page = patient.page
        page.locator("[name=title]").fill(WORDS)
        page.locator("[name=intensity][value='3']").check(force=True)
        delete_sessions(case.patient)
        page.locator("main form [type=submit]").last.click()
        page.locator("[name=password]").wait_for()
        take_pictures(page, f"whole-{locale[:2]}")
        assert WORDS not in page.content()
        assert "Ruby" not in page.url
        page.locator("[name=login]").fill(case.patient.email)
        page.locator("[name=password]").fill(PASSPHRASE)
        page.locator("main [type=submit]").click()
        take_pictures(page, f"send-{locale[:2]}")
        page.locator("main [type=submit]").click()
        until(lambda: case.memories.count() == 1, "the memory is written")
        assert case.memories.get().read().title == WORDS
        assert page.context.storage_state()["origins"] == [] or WORDS not in str(page.context.storage_state())
        remove_complaints(patient)


def test_w1_a_form_without_a_draft_that_came_too_late_sends_itself(chromium: Browser) -> None:
    administrator = make_user(Role.ADMINISTRATOR)
    with served(chromium) as site:
        person = visit(site, administrator, "/people/")
        page = person.page
        page.locator("[name=name]").fill("Stan Fink")
        page.locator("main [name=email]").fill("stan@lacuna.example")
        page.locator("[name=role]").select_option("technician")
        delete_sessions(administrator)
        page.locator("main [value=invite]").click()
        page.locator("main [name=password]").wait_for()
        assert "Stan Fink" not in page.content()
        page.locator("main [name=login]").fill(administrator.email)
        page.locator("main [name=password]").fill(PASSPHRASE)
        page.locator("main [type=submit]").click()
        until(lambda: Invitation.objects.count() == 1, "the invitation is sent")
        assert Invitation.objects.get().name == "Stan Fink"
        remove_complaints(person)


def test_w1_a_page_of_an_earlier_sign_in_of_the_same_person_goes_on(chromium: Browser) -> None:
    """Signed in again in another tab: the token of this page is stale, and nobody has to know."""
    case = make_case()
    with served(chromium) as site:
        patient = visit(site, case.patient, INTAKE)
        page = patient.page
        delete_sessions(case.patient)
        tab = page.context.new_page()
        tab.goto(f"{site.address}/account/login/")
        tab.locator("[name=login]").fill(case.patient.email)
        tab.locator("[name=password]").fill(PASSPHRASE)
        tab.locator("main [type=submit]").click()
        tab.wait_for_url("**/me/")
        page.locator("[name=subject_name]").fill(WORDS)
        until(lambda: page.evaluate("1") == 1 and WORDS in drafts_of(case), "the draft is kept")
        expect(sign_in_panel(page)).to_have_count(0)
        remove_complaints(patient, "403 (Forbidden)")


def test_w1_another_person_who_signs_in_sees_nothing_of_the_words(chromium: Browser) -> None:
    case, other = make_case(), make_case()
    with served(chromium) as site:
        patient = visit(site, case.patient, INTAKE)
        page = patient.page
        delete_sessions(case.patient)
        page.locator("[name=subject_name]").fill(WORDS)
        expect(sign_in_panel(page)).to_be_visible()
        sign_in(page, other.patient)
        expect(page).to_have_url(f"{site.address}/me/")
        assert WORDS not in page.content()
        page.go_back()
        assert WORDS not in page.content()
        assert WORDS not in drafts_of(other) + drafts_of(case)
        remove_complaints(patient)


def test_w1_a_request_without_a_connection_says_so_and_is_sent_again(chromium: Browser) -> None:
    desk = make_user(Role.RECEPTIONIST)
    row = make_request("Rob")
    with served(chromium) as site:
        person = visit(site, desk, "/requests/")
        page = person.page
        page.context.set_offline(True)
        page.locator(f"#request-{row.pk} [value=hold]").click()
        notice = page.locator(".page-notice--amber")
        expect(notice).to_contain_text("Not sent yet.")
        take_pictures(page, "no-connection")
        page.context.set_offline(False)
        notice.locator("[data-part=again]").click()
        until(lambda: AppointmentRequest.objects.get(pk=row.pk).state == "held", "the request is held")
        expect(notice).to_have_count(0)
        remove_complaints(person, "ERR_INTERNET_DISCONNECTED")
        remove_complaints(person, "htmx:")  # it writes each failure to the console
