"""A finished session watched again: played, scrubbed, walked through, and read without a script."""

import re

import pytest
from playwright.sync_api import Browser, Page, expect

from erasure.runs import resistance
from erasure.runs.models import Hold, Run
from erasure.session.replay import replay
from tests.browser.browsing import PHONE
from tests.browser.watching import a_memory_goes, a_pass, a_run_with_a_copy, doctor_of, to_the_end, watched
from tests.factories import make_run

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser]


def a_night() -> Run:
    """Three memories; of the newest a copy was found, which the doctor let be."""
    run = a_run_with_a_copy(3)
    a_pass(run)
    a_memory_goes(run)
    hold = Hold.objects.get(step__run=run)
    resistance.decide(run.pk, hold.pk, extend=False, reason="childhood", by=doctor_of(run))
    return to_the_end(run)


def fates(page: Page) -> list[str]:
    names: list[str] = page.locator(".prints .print").evaluate_all(
        "nodes => nodes.map(node => node.getAttribute('aria-label').split(', ')[1])"
    )
    return names


def current(page: Page, text: str) -> None:
    """The log stands at this line, and the panel says it."""
    expect(page.locator("#log [aria-current] span")).to_have_text(text)
    expect(page.locator("#line")).to_have_text(text)


def test_it_begins_at_the_beginning_and_plays_to_the_end(chromium: Browser) -> None:
    run = a_night()
    with watched(chromium, run, name="replay") as page:
        current(page, "The night begins: 3 memories.")
        assert fates(page) == ["waiting", "waiting", "waiting"]
        page.get_by_label("Speed").select_option("300")
        page.get_by_role("button", name="Play").click()
        expect(page.locator("#state")).to_have_text("Finished", timeout=30_000)
        expect(page.get_by_role("button", name="Play")).to_be_visible(timeout=30_000)
        assert fates(page) == ["destroyed", "destroyed", "destroyed"]
        expect(page.locator("#counts [data-count]")).to_have_text(["0", "3", "0", "0"])
        expect(page.locator("#nothing")).to_be_visible()
        assert page.locator("main img").count() == 0
        assert not [
            word for word in ("Photo", "The bird", "The last", "Clementine") if word in page.content()
        ]


def test_scrubbed_by_time_forward_and_back(chromium: Browser) -> None:
    run = a_night()
    shown = replay(run)
    held = next(moment for moment in shown.moments if moment.kind == "held")
    with watched(chromium, run, name="replay") as page:
        time = page.get_by_label("Time of the night")
        set_to = "(node, at) => { node.value = at; node.dispatchEvent(new Event('input')); }"
        time.evaluate(set_to, round(shown.seconds, 3))
        expect(page.locator("#state")).to_have_text("Finished")
        time.evaluate(set_to, round(held.passed, 3))
        expect(page.locator(".m3")).to_have_class(re.compile("is-held"))
        expect(page.locator("#trails path")).to_have_count(2)
        expect(page.locator(".print.is-copy")).to_have_count(1)
        expect(time).to_have_attribute("aria-valuetext", re.compile(", 0 of 3 destroyed$"))
        time.evaluate(set_to, 0)
        assert fates(page) == ["waiting", "waiting", "waiting"]
        expect(page.locator("#trails path")).to_have_count(0)
        time.focus()
        page.keyboard.press("End")
        expect(page.locator("#state")).to_have_text("Finished")


def test_walked_by_line_by_log_and_by_memory(chromium: Browser) -> None:
    run = a_night()
    told = replay(run).logged
    with watched(chromium, run, name="replay") as page:
        before, after = (page.locator(f"#{way}") for way in ("earlier", "later"))
        expect(before).to_have_attribute("aria-disabled", "true")
        after.click()
        current(page, told[1].text)
        expect(before).not_to_have_attribute("aria-disabled", "true")
        page.locator("#main").focus()
        page.keyboard.press("ArrowRight")
        current(page, told[2].text)
        page.keyboard.press("ArrowLeft")
        page.keyboard.press("ArrowLeft")
        current(page, told[0].text)
        page.keyboard.press("End")
        current(page, told[-1].text)
        expect(after).to_have_attribute("aria-disabled", "true")
        page.keyboard.press("Home")
        current(page, told[0].text)
        gone = next(moment for moment in told if moment.kind == "destroyed")
        page.locator(f'#log li[data-seq="{gone.seq}"] a').click()
        current(page, gone.text)
        expect(page.locator("#said")).to_have_text(gone.text)
        page.locator(".m1").click()
        current(page, "Memory 1 begins to fade.")
        expect(page.locator("#empty")).to_have_text("[ 1 ]")
        expect(page.locator("#passes li")).to_have_count(13)
        page.locator(".m1").focus()
        page.keyboard.press("ArrowLeft")
        expect(page.get_by_role("button", name=re.compile("Childhood memory"))).to_be_focused()
        current(page, "Memory 1 begins to fade.")


def test_space_plays_and_stops_and_says_where_it_is(chromium: Browser) -> None:
    run = to_the_end(make_run(2))
    with watched(chromium, run, name="replay") as page:
        page.get_by_label("Speed").select_option("1")
        page.locator("#main").focus()
        page.keyboard.press("Space")
        expect(page.get_by_role("button", name="Pause")).to_be_visible()
        page.keyboard.press("Space")
        expect(page.get_by_role("button", name="Play")).to_be_visible()
        expect(page.locator("#said")).not_to_be_empty()


def test_stillness_is_kept_while_it_plays(chromium: Browser) -> None:
    run = to_the_end(make_run(2))
    with watched(chromium, run, name="replay", reduced_motion="reduce") as page:
        page.get_by_label("Speed").select_option("300")
        page.get_by_role("button", name="Play").click()
        expect(page.locator("#state")).to_have_text("Finished", timeout=30_000)
        assert page.evaluate("window.moved") == []


def test_without_a_script_it_is_read_line_by_line(chromium: Browser) -> None:
    run = a_night()
    told = replay(run).logged
    with watched(chromium, run, name="replay", java_script_enabled=False, viewport=PHONE) as page:
        expect(page.locator("#log li")).to_have_count(len(told))
        expect(page.get_by_role("button", name="Play")).to_have_count(0)
        expect(page.get_by_label("Speed")).to_be_hidden()
        page.get_by_role("link", name="Next line").click()
        current(page, told[1].text)
        page.locator("#log a").last.click()
        expect(page.locator("#state")).to_have_text("Finished")
        assert fates(page) == ["destroyed", "destroyed", "destroyed"]


def test_the_finished_session_leads_there_and_back(chromium: Browser) -> None:
    run = to_the_end(make_run(1))
    with watched(chromium, run) as page:
        page.get_by_role("link", name="Watch the night again").click()
        expect(page.get_by_role("link", name="Open the certificate")).to_be_visible()
        page.get_by_role("link", name="Back to the session").click()
        expect(page.locator("#state")).to_have_text("Finished")
