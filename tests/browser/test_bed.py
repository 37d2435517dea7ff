"""The page for the bed on a phone: a tap that was made offline arrives once, and the page says so."""

import re
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.conf import settings
from django.utils import translation
from playwright.sync_api import APIResponse, Browser, Page, Route, expect

from clinic.audit.models import Entry
from erasure.bedside.models import BedTap, BedToken
from erasure.bedside.tokens import cookie_name, end_tokens
from erasure.procedures.models import Procedure
from erasure.runs.control import lift_safe_word
from erasure.runs.models import Run
from tests.browser.browsing import OpenSite, Visitor, session_of
from tests.browser.watching import STILL, do_memory, finish_run, served
from tests.erasure.bed_pages.test_pages import make_night
from tests.erasure.bedside.beds import bed_url, open_bed
from tests.erasure.runs.nights import doctor_of
from tests.factories import make_run
from tests.processes import until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser]

PHONE: dict[str, Any] = {
    "viewport": {"width": 390, "height": 844},
    "has_touch": True,
    "is_mobile": True,
    "device_scale_factor": 2,
}
# Counts the requests for a wake lock. With `refuse` the browser refuses them.
COUNT_LOCKS = """
window.asked = []; window.given = { released: false };
Object.defineProperty(navigator, "wakeLock", { value: { request: (kind) => {
  asked.push(kind);
  return window.refuse ? Promise.reject(new DOMException("no")) : Promise.resolve(given);
} } });
"""
NO_LOCKS = "Object.defineProperty(navigator, 'wakeLock', { value: undefined });"
SHOW_PAGE_AGAIN = "document.dispatchEvent(new Event('visibilitychange'))"


def at_bed(site: OpenSite, procedure: Procedure, *, init: str = "", **options: Any) -> Visitor:
    """A phone at the bed, with a token and without a session. init: a script to run before the page's own."""
    visitor = site.visitor(**{**PHONE, **options})
    value = open_bed(procedure).cookies[cookie_name()].value
    cookie = {"name": cookie_name(), "value": value, "url": f"{site.address}/bed/"}
    visitor.page.context.add_cookies([cookie])
    if init:
        visitor.page.add_init_script(init)
    visitor.go(bed_url(procedure))
    visitor.page.locator("html.script").wait_for(state="attached")
    return visitor


def safe_word(page: Page) -> None:
    page.get_by_role("button", name=re.compile("^(Safe word|Từ an toàn)")).tap()


@pytest.mark.parametrize("language", ["en", "vi"])
def test_a_tap_arrives_and_the_page_says_when(chromium: Browser, language: str) -> None:
    run = make_run(1, pace=STILL)
    with served(chromium) as site, translation.override(language):
        visitor = at_bed(site, run.procedure, locale=language)
        said = visitor.page.get_by_role("alert")
        safe_word(visitor.page)
        begins = "It arrived at" if language == "en" else "Đã đến nơi lúc"
        expect(said).to_contain_text(begins)
        expect(visitor.page.locator("#main")).to_have_attribute("data-state", "paused")
        assert Run.objects.get().state == Run.State.PAUSED
        safe_word(visitor.page)
        until(lambda: BedTap.objects.count() == 2, "a second tap is a tap of its own")
        assert run.safe_words.count() == 1


def test_a_tap_without_a_line_is_kept_over_a_reload_and_arrives_once(chromium: Browser) -> None:
    run = make_run(1, pace=STILL)
    with served(chromium) as site:
        visitor = at_bed(site, run.procedure)
        visitor.expected |= {"ERR_INTERNET_DISCONNECTED", "net::ERR"}
        page, context = visitor.page, visitor.page.context
        context.set_offline(True)
        safe_word(page)
        expect(page.get_by_role("alert")).to_have_text(
            "No line. We keep trying. Call out, or press the bell."
        )
        until(lambda: page.evaluate("localStorage.length") == 1, "the tap is kept")
        kept = page.evaluate("Object.entries(localStorage)[0].join('=')")
        assert re.fullmatch(r"[0-9a-f]{32}=[0-9a-f]{100,}", kept)
        with pytest.raises(Exception, match="ERR_INTERNET_DISCONNECTED"):
            page.reload()
        assert not BedTap.objects.exists()
        context.set_offline(False)
        page.goto(site.address + bed_url(run.procedure))
        expect(page.get_by_role("alert")).to_contain_text("It arrived at")
        expect(page.locator("#main")).to_have_attribute("data-state", "paused")
        until(lambda: page.evaluate("localStorage.length") == 0, "the kept tap is dropped")
        tap = BedTap.objects.get()
        assert tap.tapped_at is not None
        assert tap.tapped_at < tap.arrived_at
        assert (run.safe_words.count(), Entry.objects.filter(action="bed.safe-word").count()) == (1, 1)
        lift_safe_word(run.pk, by=doctor_of(run), words="Go on.")
        expect(page.get_by_role("alert")).to_have_text("")  # it says no longer that the night is paused
        page.reload()
        expect(page.locator("#main")).to_have_attribute("data-state", "running")
        expect(page.get_by_role("alert")).to_have_text("")
        assert (Run.objects.get().state, BedTap.objects.count()) == (Run.State.RUNNING, 1)


def test_a_tap_is_sent_by_itself_when_the_line_comes_back(chromium: Browser) -> None:
    run = make_run(1, pace=STILL)
    with served(chromium) as site:
        visitor = at_bed(site, run.procedure)
        visitor.expected |= {"net::ERR"}
        visitor.page.context.set_offline(True)
        safe_word(visitor.page)
        safe_word(visitor.page)
        expect(visitor.page.get_by_role("alert")).to_contain_text("No line.")
        visitor.page.context.set_offline(False)
        expect(visitor.page.get_by_role("alert")).to_contain_text("It arrived at")
        assert (BedTap.objects.count(), run.safe_words.count()) == (1, 1)


def test_an_answer_that_comes_late_undoes_nothing(chromium: Browser) -> None:
    """The status from before the tap arrives after the one that says that the night is paused."""
    run = make_run(1, pace=STILL)
    held: list[tuple[Route, APIResponse]] = []

    def hold_first(route: Route) -> None:
        if held:
            route.continue_()
        else:
            held.append((route, route.fetch()))

    with served(chromium) as site:
        page = at_bed(site, run.procedure).page
        page.route("**/now/", hold_first)
        page.evaluate("dispatchEvent(new Event('online'))")
        until(lambda: page.evaluate("1") and bool(held), "the status from before the tap is on its way")
        safe_word(page)
        expect(page.locator("#main")).to_have_attribute("data-state", "paused")
        (route, before) = held[0]
        assert before.json()["state"] == "running"
        with page.expect_response("**/now/"):
            route.fulfill(response=before)
        with page.expect_response("**/now/"):
            page.evaluate("dispatchEvent(new Event('online'))")
        expect(page.get_by_role("alert")).to_contain_text("It arrived at")
        expect(page.locator("#main")).to_have_attribute("data-state", "paused")


def test_an_answer_that_is_lost_does_not_make_a_second_safe_word(chromium: Browser) -> None:
    """The tap arrives, its answer does not, and a doctor lifts the safe word before the tap is sent again."""
    run = make_run(1, pace=STILL)
    with served(chromium) as site:
        visitor = at_bed(site, run.procedure)
        visitor.expected |= {"net::ERR"}
        lost: list[str] = []

        def lose(route: Any) -> None:
            if lost:
                route.continue_()
                return
            route.fetch()
            lost.append(route.request.post_data or "")
            lift_safe_word(run.pk, by=doctor_of(run), words="Go on.")
            route.abort()

        visitor.page.route("**/safe-word/", lose)
        safe_word(visitor.page)
        expect(visitor.page.get_by_role("alert")).to_contain_text("It arrived at")
        assert len(lost) == 1
        assert (BedTap.objects.count(), run.safe_words.count()) == (1, 1)
        assert Run.objects.get().state == Run.State.RUNNING


def test_another_persons_page_in_the_same_browser_cannot_read_the_kept_tap(chromium: Browser) -> None:
    run, other = make_run(1, pace=STILL), make_run(1, pace=STILL)
    with served(chromium) as site:
        visitor = at_bed(site, run.procedure)
        visitor.expected |= {"net::ERR"}
        visitor.page.context.set_offline(True)
        safe_word(visitor.page)
        until(lambda: visitor.page.evaluate("localStorage.length") == 1, "the tap is kept")
        visitor.page.goto("about:blank")
        visitor.page.context.set_offline(False)
        value = open_bed(other.procedure).cookies[cookie_name()].value
        cookie = {"name": cookie_name(), "value": value, "url": f"{site.address}/bed/"}
        visitor.page.context.add_cookies([cookie])
        visitor.go(bed_url(other.procedure))
        page = visitor.page
        page.locator("html.script").wait_for(state="attached")
        stored = page.evaluate("Object.entries(localStorage).flat().join(' ')")
        assert str(run.pk) not in stored
        assert str(run.procedure_id) not in stored
        opened = page.evaluate(
            """async () => {
              const bytes = (hex) => Uint8Array.from(hex.match(/../g), (pair) => parseInt(pair, 16));
              const key = await crypto.subtle.importKey(
                "raw", bytes(document.getElementById("main").dataset.keptKey), "AES-GCM", false, ["decrypt"]);
              const sealed = bytes(Object.values(localStorage)[0]);
              const iv = sealed.slice(0, 12);
              return crypto.subtle.decrypt({ name: "AES-GCM", iv }, key, sealed.slice(12))
                .then(() => "opened", () => "closed");
            }"""
        )
        assert opened == "closed"
        expect(page.get_by_role("alert")).to_have_text("")
        assert not other.bed_taps.exists()


def test_the_page_follows_the_night_and_says_when_it_was_closed(chromium: Browser) -> None:
    run = make_run(2, pace=STILL)
    with served(chromium) as site:
        visitor = at_bed(site, run.procedure)
        visitor.expected |= {"401 (Unauthorized)"}
        page = visitor.page
        expect(page.locator("#now")).to_contain_text("0 of 2 memories are gone.")
        do_memory(run)
        expect(page.locator("#now")).to_contain_text("1 of 2 memories are gone.")
        page.get_by_role("button", name="Pause").tap()
        expect(page.get_by_role("alert")).to_have_text("Paused.")
        expect(page.locator("#now h1")).to_have_text("The night is paused.")
        expect(page.get_by_role("button", name="Pause")).to_have_count(0)
        page.get_by_role("button", name="Call the doctor").tap()
        expect(page.get_by_role("alert")).to_have_text("The doctor has been called.")
        end_tokens(BedToken.objects.all(), "staff", by=doctor_of(run))
        expect(page.get_by_role("alert")).to_have_text("This page was closed. Call out, or press the bell.")
        safe_word(page)
        expect(page.get_by_role("alert")).to_have_text("This page was closed. Call out, or press the bell.")
        assert not BedTap.objects.exists()


def test_after_the_night_there_is_nothing_to_tap(chromium: Browser) -> None:
    run = make_run(1, pace=STILL)
    with served(chromium) as site:
        visitor = at_bed(site, run.procedure)
        visitor.expected |= {"401 (Unauthorized)"}
        finish_run(run)
        expect(visitor.page.get_by_role("alert")).to_contain_text("This page was closed.")


def test_after_the_night_a_signed_in_patients_page_does_not_open_the_stream_again(chromium: Browser) -> None:
    """Their sign-in still opens the page's state, so only the state says that nothing more will come."""
    run = make_run(1, pace=STILL)
    with served(chromium) as site:
        visitor = at_bed(site, run.procedure)
        page, streams = visitor.page, []
        session = session_of(run.procedure.case.patient)
        page.context.add_cookies(
            [{"name": settings.SESSION_COOKIE_NAME, "value": session, "url": site.address}]
        )
        page.on("request", lambda request: streams.append(request.url) if "/live/" in request.url else None)
        with page.expect_request("**/bed/live/**"):
            page.reload()
        finish_run(run)
        expect(page.locator("#now h1")).to_have_text("The night is over.")
        for _ in range(3):  # each answer would open another stream
            with page.expect_response("**/now/"):
                page.evaluate(SHOW_PAGE_AGAIN)
        assert len(streams) == 1


def test_the_screen_stays_on_and_is_asked_for_again_when_the_page_is_seen_again(chromium: Browser) -> None:
    run = make_run(1, pace=STILL)
    with served(chromium) as site:
        page = at_bed(site, run.procedure, init=COUNT_LOCKS).page
        assert page.evaluate("asked") == ["screen"]
        page.evaluate(SHOW_PAGE_AGAIN)
        assert page.evaluate("asked.length") == 1  # it has one
        page.evaluate("given.released = true")  # as the browser does when the page is hidden
        page.evaluate(SHOW_PAGE_AGAIN)
        assert page.evaluate("asked.length") == 2
        refused = at_bed(site, run.procedure, init=COUNT_LOCKS + "window.refuse = true;").page
        refused.evaluate(SHOW_PAGE_AGAIN)
        assert refused.evaluate("asked.length") == 2
        silent = at_bed(site, run.procedure, init=NO_LOCKS)
        safe_word(silent.page)
        expect(silent.page.get_by_role("alert")).to_contain_text("It arrived at")


@pytest.mark.parametrize("language", ["en", "vi"])
@pytest.mark.parametrize("state", ["running", "paused", "said"])
def test_axe_finds_nothing_and_targets_are_large(chromium: Browser, state: str, language: str) -> None:
    run = make_run(1, pace=STILL)
    with served(chromium) as site:
        page = at_bed(site, run.procedure, locale=language).page
        if state == "paused":
            page.locator("[data-send] button").first.tap()
            expect(page.locator("#main")).to_have_attribute("data-state", "paused")
        if state == "said":
            page.locator("[data-tap] button").tap()
            expect(page.locator("#main")).to_have_attribute("data-state", "paused")
        found = Axe().run(page).response["violations"]
        assert [(item["id"], [node["html"] for node in item["nodes"]]) for item in found] == []
        sizes = page.evaluate(
            "[...document.querySelectorAll('button, summary')].filter((one) => one.checkVisibility())"
            ".map((one) => one.getBoundingClientRect().height)"
        )
        assert min(sizes) >= 44
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        ink, ground = page.evaluate(
            "[getComputedStyle(document.body).color, getComputedStyle(document.body).backgroundColor]"
        )
        assert page.evaluate("document.getAnimations().length") == 0
        assert (ink, ground) == ("rgb(163, 180, 188)", "rgb(10, 16, 20)")


def test_the_patient_comes_from_their_page_sets_a_word_and_opens_the_page(chromium: Browser) -> None:
    procedure = make_night()
    with served(chromium) as site:
        visitor = site.visitor(procedure.case.patient, **PHONE)
        visitor.go("/me/")
        visitor.press("Choose a safe word, and see what the page does")
        visitor.page.get_by_label("A word of your own").fill("Montauk")
        visitor.press("Keep this word")
        expect(visitor.page.get_by_label("A word of your own")).to_have_value("Montauk")
        found = Axe().run(visitor.page).response["violations"]
        assert [item["id"] for item in found] == []
        visitor.press("Open the page for the bed")
        expect(visitor.page.get_by_role("heading", level=1)).to_have_text("The night has not begun.")
        expect(visitor.page.get_by_role("button", name="Safe word")).to_have_count(0)
        cookies = {cookie["name"]: cookie["path"] for cookie in visitor.page.context.cookies()}
        assert cookies[cookie_name()] == "/bed/"
        assert cookies[settings.SESSION_COOKIE_NAME] == "/"
