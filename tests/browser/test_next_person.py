"""W4: of one person nothing is left for the next who uses the same browser."""

import json
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from clinic.accounts.models import Role, User
from tests.browser.browsing import Visitor
from tests.browser.watching import served
from tests.factories import PASSPHRASE, jpeg, make_case, make_keepsake, make_memory, make_user
from tests.processes import until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser]

SONG = "Me and J at the motel.wav"
WORDS = "Ruby Thursday and the blue hair"
# What any of the first person's pages says of them and of whom they forget.
WORDS_OF_THE_FIRST_PERSON = (SONG, "motel", "Ruby", "Clementine", "Joel", "Frozen river")


def stored(page: Page) -> str:
    """Everything that scripts of this origin stored in the browser."""
    return str(page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}])"))


def sign_in(someone: Visitor, user: User) -> None:
    page = someone.page
    page.locator("[name=login]").fill(user.email)
    page.locator("[name=password]").fill(PASSPHRASE)
    page.locator("main [type=submit]").click()
    page.wait_for_url("**/me/")


def sign_out(page: Page) -> None:
    page.locator("form[action='/account/logout/'] button").first.click()
    page.wait_for_url(lambda url: "/me/" not in url)


def assert_nothing_of_the_first_person(page: Page) -> None:
    shown = page.content() + page.title() + stored(page)
    fields = page.evaluate(
        "[...document.querySelectorAll('input, textarea')].map((field) => field.value).join()"
    )
    assert [word for word in WORDS_OF_THE_FIRST_PERSON if word in shown + fields] == []


@pytest.mark.parametrize("locale", ["en-US", "vi-VN"])
def test_w4_the_next_person_in_a_tab_finds_nothing(locale: str, chromium: Browser, tmp_path: Path) -> None:
    joel, mary = make_user(Role.PATIENT, name="Joel Barish"), make_user(Role.PATIENT, name="Mary Svevo")
    case = make_case(joel, subject_name="Clementine Kruczynski")
    memory = make_memory(case, title="Frozen river")
    make_keepsake(memory)
    make_case(mary, subject_name="Howard Mierzwiak")
    song = tmp_path / SONG
    song.write_bytes(jpeg((800, 600)) + bytes(9 * 1024 * 1024))
    with served(chromium) as site:
        someone = site.visitor(None, locale=locale)
        page = someone.page
        someone.go("/account/login/")
        sign_in(someone, joel)
        someone.go(f"/me/memories/{memory.pk}/")
        someone.go("/me/intake/?step=who")
        someone.go("/me/keepsakes/")
        page.route(
            "**/upload/**",
            lambda route: route.abort() if route.request.method == "PATCH" else route.fallback(),
        )
        page.locator("#files").set_input_files(song)
        until(lambda: SONG in page.content(), "the page names what is on its way")
        assert SONG not in stored(page), "the server remembers where the upload stands, not the browser"
        someone.go("/me/memories/new/")
        page.locator("[name=title]").fill(WORDS)
        sign_out(page)
        assert_nothing_of_the_first_person(page)
        someone.go("/account/login/")
        sign_in(someone, mary)
        assert_nothing_of_the_first_person(page)
        someone.go("/me/keepsakes/")
        assert_nothing_of_the_first_person(page)
        for _step in range(9):
            page.go_back()
            page.wait_for_load_state()
            assert_nothing_of_the_first_person(page)
        someone.complaints[:] = [
            said for said in someone.complaints if "ERR_FAILED" not in said and "404 (Not Found)" not in said
        ]


def test_w4_back_after_signing_out_leads_to_the_sign_in_page(chromium: Browser) -> None:
    case = make_case(make_user(Role.PATIENT, name="Joel Barish"), subject_name="Clementine Kruczynski")
    memory = make_memory(case, title="Frozen river")
    with served(chromium) as site:
        someone = site.visitor(case.patient)
        page = someone.page
        someone.go("/me/")
        someone.go(f"/me/memories/{memory.pk}/")
        assert "Frozen river" in page.content()
        page.locator("[name=title]").fill(WORDS)
        sign_out(page)
        page.go_back()
        expect(page.locator("[name=password]")).to_be_visible()
        assert_nothing_of_the_first_person(page)


def test_w4_what_a_page_of_another_person_stored_is_removed(chromium: Browser) -> None:
    """Also where signing out did not reach this tab: its sign-in ended by itself."""
    joel, mary = make_case().patient, make_case().patient
    with served(chromium) as site:
        someone = site.visitor(joel)
        page = someone.page
        someone.go("/me/")
        page.evaluate(
            "sessionStorage.setItem('upload:1', 'motel'); localStorage.setItem('lacuna-keys', 'off')"
        )
        someone.go("/me/keepsakes/")
        kept = json.loads(stored(page))
        assert (kept[0]["lacuna-keys"], kept[1]["upload:1"]) == ("off", "motel")
        page.context.clear_cookies()
        someone.go("/account/login/")
        assert json.loads(stored(page)) == [{}, {}]
        page.evaluate(
            "sessionStorage.setItem('owner', 'somebody'); sessionStorage.setItem('upload:1', 'motel')"
        )
        sign_in(someone, mary)
        assert "motel" not in stored(page)
