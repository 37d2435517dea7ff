"""The replay of a finished session: playing, seeking, stepping, and reading it without a script."""

import re

import pytest
from playwright.sync_api import Browser, Page, expect

from erasure.runs import resistance
from erasure.runs.models import Hold, Run
from erasure.session.replay import replay
from tests.browser.browsing import PHONE
from tests.browser.watching import do_memory, do_pass, doctor_of, finish_run, make_run_with_copy, watched
from tests.factories import make_run

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser]


def make_finished_run() -> Run:
    """A finished run of three memories. A copy of the newest was found, and the doctor left it."""
    run = make_run_with_copy(3)
    do_pass(run)
    do_memory(run)
    hold = Hold.objects.get(step__run=run)
    resistance.decide(run.pk, hold.pk, extend=False, reason="childhood", by=doctor_of(run))
    return finish_run(run)


def states_of_memories(page: Page) -> list[str]:
    names: list[str] = page.locator(".prints .print").evaluate_all(
        "nodes => nodes.map(node => node.getAttribute('aria-label').split(', ')[1])"
    )
    return names


def expect_current_line(page: Page, text: str) -> None:
    """Expect that this line is the current one in the log and in the panel."""
    expect(page.locator("#log [aria-current] span")).to_have_text(text)
    expect(page.locator("#line")).to_have_text(text)


def test_the_replay_plays_from_the_beginning_to_the_end(chromium: Browser) -> None:
    run = make_finished_run()
    with watched(chromium, run, name="replay") as page:
        expect_current_line(page, "The night begins: 3 memories.")
        assert states_of_memories(page) == ["waiting", "waiting", "waiting"]
        page.get_by_label("Speed").select_option("300")
        page.get_by_role("button", name="Play").click()
        expect(page.locator("#state")).to_have_text("Finished", timeout=30_000)
        expect(page.get_by_role("button", name="Play")).to_be_visible(timeout=30_000)
        assert states_of_memories(page) == ["destroyed", "destroyed", "destroyed"]
        expect(page.locator("#counts [data-count]")).to_have_text(["0", "3", "0", "0"])
        expect(page.locator("#nothing")).to_be_visible()
        assert page.locator("main img").count() == 0
        assert not [
            word for word in ("Photo", "The bird", "The last", "Clementine") if word in page.content()
        ]


def test_the_time_slider_seeks_forward_and_back(chromium: Browser) -> None:
    run = make_finished_run()
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
        assert states_of_memories(page) == ["waiting", "waiting", "waiting"]
        expect(page.locator("#trails path")).to_have_count(0)
        time.focus()
        page.keyboard.press("End")
        expect(page.locator("#state")).to_have_text("Finished")


def test_the_replay_is_stepped_through_by_line_by_log_and_by_memory(chromium: Browser) -> None:
    run = make_finished_run()
    lines = replay(run).logged
    with watched(chromium, run, name="replay") as page:
        before, after = (page.locator(f"#{way}") for way in ("earlier", "later"))
        expect(before).to_have_attribute("aria-disabled", "true")
        after.click()
        expect_current_line(page, lines[1].text)
        expect(before).not_to_have_attribute("aria-disabled", "true")
        page.locator("#main").focus()
        page.keyboard.press("ArrowRight")
        expect_current_line(page, lines[2].text)
        page.keyboard.press("ArrowLeft")
        page.keyboard.press("ArrowLeft")
        expect_current_line(page, lines[0].text)
        page.keyboard.press("End")
        expect_current_line(page, lines[-1].text)
        expect(after).to_have_attribute("aria-disabled", "true")
        page.keyboard.press("Home")
        expect_current_line(page, lines[0].text)
        gone = next(moment for moment in lines if moment.kind == "destroyed")
        page.locator(f'#log li[data-seq="{gone.seq}"] a').click()
        expect_current_line(page, gone.text)
        expect(page.locator("#said")).to_have_text(gone.text)
        page.locator(".m1").click()
        expect_current_line(page, "Memory 1 begins to fade.")
        expect(page.locator("#empty")).to_have_text("[ 1 ]")
        expect(page.locator("#passes li")).to_have_count(13)
        page.locator(".m1").focus()
        page.keyboard.press("ArrowLeft")
        expect(page.get_by_role("button", name=re.compile("Childhood memory"))).to_be_focused()
        expect_current_line(page, "Memory 1 begins to fade.")


def test_the_space_bar_plays_and_pauses_and_announces_the_position(chromium: Browser) -> None:
    run = finish_run(make_run(2))
    with watched(chromium, run, name="replay") as page:
        page.get_by_label("Speed").select_option("1")
        page.locator("#main").focus()
        page.keyboard.press("Space")
        expect(page.get_by_role("button", name="Pause")).to_be_visible()
        page.keyboard.press("Space")
        expect(page.get_by_role("button", name="Play")).to_be_visible()
        expect(page.locator("#said")).not_to_be_empty()


def test_with_reduced_motion_the_replay_has_no_animations(chromium: Browser) -> None:
    run = finish_run(make_run(2))
    with watched(chromium, run, name="replay", reduced_motion="reduce") as page:
        page.get_by_label("Speed").select_option("300")
        page.get_by_role("button", name="Play").click()
        expect(page.locator("#state")).to_have_text("Finished", timeout=30_000)
        assert page.evaluate("window.moved") == []


def test_without_a_script_the_replay_is_read_line_by_line(chromium: Browser) -> None:
    run = make_finished_run()
    lines = replay(run).logged
    with watched(chromium, run, name="replay", java_script_enabled=False, viewport=PHONE) as page:
        expect(page.locator("#log li")).to_have_count(len(lines))
        expect(page.get_by_role("button", name="Play")).to_have_count(0)
        expect(page.get_by_label("Speed")).to_be_hidden()
        page.get_by_role("link", name="Next line").click()
        expect_current_line(page, lines[1].text)
        page.locator("#log a").last.click()
        expect(page.locator("#state")).to_have_text("Finished")
        assert states_of_memories(page) == ["destroyed", "destroyed", "destroyed"]


def test_the_finished_session_and_the_replay_link_to_each_other(chromium: Browser) -> None:
    run = finish_run(make_run(1))
    with watched(chromium, run) as page:
        page.get_by_role("link", name="Watch the night again").click()
        expect(page.get_by_role("link", name="Open the certificate")).to_be_visible()
        page.get_by_role("link", name="Back to the session").click()
        expect(page.locator("#state")).to_have_text("Finished")
