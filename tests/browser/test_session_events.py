"""Each event of a session on the session page: what is shown, animated, logged and read aloud.

The tests call the same functions as the worker and the staff's views.
"""

import re
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page, expect

from clinic.audit.models import Entry
from erasure.runs import control, resistance
from erasure.runs.finishing import finish
from erasure.runs.models import Hold
from patients.consent.signing import withdraw
from patients.keepsakes.models import Keepsake
from patients.vault.models import StoredObject
from tests.browser.watching import (
    STILL,
    animations,
    do_memory,
    do_pass,
    doctor_of,
    durations,
    finish_run,
    make_run_with_copy,
    memory_of,
    watched,
)
from tests.factories import make_doctor, make_run
from tests.processes import until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser]

# Slows down all animations that start after it, so that a test can act during them.
SLOW_ANIMATIONS = """() => {
  const real = Element.prototype.animate;
  Element.prototype.animate = function (...all) {
    const animation = real.apply(this, all);
    animation.playbackRate = 0.001;
    return animation;
  };
}"""
AMBER, RED = "rgb(247, 236, 210)", "rgb(157, 35, 28)"


def newest(page: Page, kind: str) -> str:
    """The text of the newest log line of this kind; waits until there is one."""
    line = page.locator(f'#log li[data-kind="{kind}"] span').first
    expect(line).to_be_attached()
    return line.inner_text()


def expect_state(page: Page, word: str, text: str) -> None:
    expect(page.locator("#session")).to_have_attribute("data-state", word)
    expect(page.locator("#state")).to_have_text(text)


def announcements(page: Page) -> list[str]:
    """All announcements to screen readers so far."""
    found: list[str] = page.evaluate("window.told")
    return found


def expect_counts(page: Page, of: str) -> None:
    """Expect these counts: "map destroyed protected off"."""
    parts = page.locator("#counts [data-count]")
    expect(parts).to_have_text(of.split())


def test_a_started_memory_flies_to_the_stage_and_leaves_its_number(chromium: Browser) -> None:
    run = make_run(2, pace=STILL)
    with watched(chromium, run) as page:
        expect(page.locator(".m2 img")).to_have_count(1)
        do_pass(run)
        place = page.locator(".m2.is-current")
        expect(place.locator("img")).to_have_count(0)
        expect(place).to_have_text("2")
        expect(page.locator("#about [data-part=number]")).to_have_text("[2]")
        expect(page.locator("#stage img")).to_have_count(1)
        assert newest(page, "memory-started") == "Memory 2 “Photo 1” begins to fade."
        flight = [move for move in animations(page) if "translate" in str(move["frames"])]
        assert [move["duration"] for move in flight] == [900]
        assert "Memory 2 “Photo 1” begins to fade." in announcements(page)


def test_there_is_no_flight_if_memories_follow_fast(chromium: Browser) -> None:
    run = make_run(2, pace=1.4)
    with watched(chromium, run) as page:
        do_memory(run)
        expect(page.locator(".m2.is-destroyed")).to_be_attached()
        assert [move for move in animations(page) if "translate" in str(move["frames"])] == []


def test_a_pass_shows_the_new_frame(chromium: Browser) -> None:
    run = make_run(1, pace=STILL)
    with watched(chromium, run) as page:
        do_pass(run)
        shown = page.locator("#stage img")
        frame = f"/pictures/{Keepsake.objects.get(memory=memory_of(run, 1)).thumb_id}"
        expect(page.locator(f'#stage img[src="{frame}"]')).to_have_count(1)
        expect(shown).to_have_count(1)
        first, bits = shown.get_attribute("src"), page.locator("[data-part=bits]").inner_text()
        do_pass(run)
        expect(page.locator(".passes .is-done")).to_have_count(2)
        frame = f"/pictures/{Keepsake.objects.get(memory=memory_of(run, 1)).thumb_id}"
        expect(page.locator(f'#stage img[src="{frame}"]')).to_have_count(1)
        expect(shown).to_have_count(1)
        assert frame != first
        now = page.locator("[data-part=bits]").inner_text()
        assert int(re.sub(r"\D", "", now)) < int(re.sub(r"\D", "", bits))
        expect(page.locator('#log li[data-kind="pass"]')).to_have_count(1)
        assert newest(page, "pass") == "Memory 1 “Photo 0” fades: pass 2 of 13."
        assert page.request.get(page.url.split("/sessions/")[0] + str(first)).status == 410


def test_the_end_of_a_flight_does_not_replace_a_newer_frame(chromium: Browser) -> None:
    run = make_run(1, pace=STILL)
    with watched(chromium, run) as page:
        do_pass(run)  # starts the flight animation and brings the first frame at once
        frame = f"/pictures/{Keepsake.objects.get(memory=memory_of(run, 1)).thumb_id}"
        expect(page.locator(f'#stage img[src="{frame}"]')).to_have_count(1)
        expect(page.locator("#stage img")).to_have_count(1)


def test_a_fade_is_announced_every_third_pass(chromium: Browser) -> None:
    run = make_run(1, pace=STILL)
    with watched(chromium, run) as page:
        for level in range(1, 13):
            do_pass(run)
            expect(page.locator(".passes .is-done")).to_have_count(level)
        assert [text for text in announcements(page) if "fades" in text] == [
            f"Memory 1 “Photo 0” fades: pass {level} of 13." for level in (3, 6, 9, 12)
        ]


def test_nothing_of_a_destroyed_memory_is_left_on_the_page(chromium: Browser) -> None:
    run = make_run(2, pace=STILL)
    with watched(chromium, run) as page:
        assert "Photo 1" in page.content()
        do_memory(run)
        gone = page.get_by_role("button", name="Memory 2, destroyed")
        expect(gone).to_be_visible()
        expect(gone).to_have_attribute("aria-disabled", "true")
        expect(gone.locator("img")).to_have_count(0)
        expect(page.locator("#stage img")).to_have_count(0)
        expect(page.locator('.bar[data-n="2"]')).to_have_class("bar is-destroyed")
        expect_counts(page, "1 1 0 0")
        assert newest(page, "destroyed").startswith("Memory 2 is gone: ")
        expect(page.locator("main")).not_to_contain_text("Photo 1")
        until(lambda: {600, 1400} <= durations(page), "the number and the coast, which a worker draws")


def test_a_held_memory_trembles_by_three_pixels_and_raises_an_alarm(chromium: Browser) -> None:
    run = make_run_with_copy()
    with watched(chromium, run) as page:
        do_pass(run)
        alarm = page.get_by_role("alert").filter(has_text="[2] is hidden off the map")
        expect(alarm).to_contain_text("Its likeness was found in “The bird”")
        expect(page.locator(".call")).to_have_css("background-color", RED)
        expect(page.locator(".m2.is-held")).to_be_visible()
        assert newest(page, "held") == (
            "Memory 2 “The last” is held: a copy was found off the map. The doctor decides."
        )
        until(lambda: 700 in durations(page), "the tremor, which waits for the picture that trembles")
        tremors = [move for move in animations(page) if move["duration"] == 700]
        reach = [float(px) for move in tremors for px in re.findall(r"(-?[\d.]+)px", str(move["frames"]))]
        assert max(abs(px) for px in reach) <= 3
        assert "opacity" not in str(tremors)


def test_a_dashed_line_leads_to_a_copy_off_the_map(chromium: Browser) -> None:
    run = make_run_with_copy(1)
    with watched(chromium, run) as page:
        do_pass(run)
        expect_state(page, "held", "Off the map")
        expect_counts(page, "1 0 0 1")
        expect(page.locator("#trails path.over")).to_have_css("stroke-dasharray", "5px, 5px")
        expect(page.locator(".print.is-copy")).to_have_attribute(
            "aria-label", re.compile("Childhood memory, The bird")
        )
        expect(page.locator("#stage .blank")).to_have_css("visibility", "visible")
        expect(page.locator("#stage img")).to_have_count(0)
        expect(page.locator("#remaining")).to_have_text("")


def test_the_next_memory_waits_until_the_stage_is_free(chromium: Browser) -> None:
    run = make_run_with_copy()
    with watched(chromium, run) as page:
        do_pass(run)  # one memory is held, and the next one starts at once
        frame = f"/pictures/{Keepsake.objects.get(memory=memory_of(run, 1)).thumb_id}"
        expect(page.locator(f'#stage img[src="{frame}"]')).to_have_count(1)
        expect(page.locator("#stage img")).to_have_count(1)
        moved = [(move["what"], move["duration"]) for move in animations(page)]
        order = [moved.index(one) for one in (("stage-print", 700), ("dye", 1200), ("ghost", 900))]
        assert order == sorted(order)
        assert ("stage-print ghost", 1500) in moved[order[1] : order[2]]
        expect(page.locator(".ghost")).to_have_count(0)


def test_a_pause_ends_the_animation_to_the_copy(chromium: Browser) -> None:
    run = make_run_with_copy()
    with watched(chromium, run) as page:
        page.evaluate(SLOW_ANIMATIONS)
        do_pass(run)
        until(lambda: 1200 in durations(page), "the animation of 1.2 seconds to the copy")
        control.pause(run.pk, by=doctor_of(run))
        expect_state(page, "paused", "Paused")
        until(lambda: page.evaluate("document.getAnimations().length") == 0, "no animation is left")
        expect(page.locator("#stage img")).to_have_count(1)
        expect(page.locator(".ghost")).to_have_count(0)
        assert {900, 1500} & durations(page) == set()


@pytest.mark.parametrize("paused", [False, True], ids=["held", "paused"])
@pytest.mark.parametrize("copies", [1, 3])
@pytest.mark.parametrize(("width", "height"), [(1440, 900), (1280, 800)])
def test_alarms_and_a_call_leave_every_control_in_sight(
    chromium: Browser, width: int, height: int, copies: int, *, paused: bool
) -> None:
    run = make_run_with_copy(copies + 1, copies)
    do_pass(run)
    if paused:
        control.pause(run.pk, by=doctor_of(run))
    with watched(chromium, run, viewport={"width": width, "height": height}) as page:
        expect(page.locator("#alarms .alarm")).to_have_count(copies + 1)
        pressed = [
            "Look and decide",
            "I am coming",
            "Resume" if paused else "Pause",
            "Protect this",
            "Call the doctor",
            "Take over",
            "Abort procedure",
        ]
        for name in pressed:
            role: Literal["link", "button"] = "link" if name == "Look and decide" else "button"
            box = page.locator(".panel").get_by_role(role, name=re.compile(name)).first.bounding_box()
            assert box is not None
            assert (box["height"] >= 44, box["y"] + box["height"] <= height) == (True, True), (name, box)
        order = [page.locator(part).bounding_box() for part in ("#about", "#alarms", "#controls", "#log")]
        tops = [box["y"] for box in order if box]
        assert tops == sorted(tops)
        assert page.locator(".panel").evaluate("panel => panel.scrollTop") == 0
        # Further decisions are scrolled into view by tabbing to them, and the call does not cover them.
        last = page.locator("#alarms").get_by_role("link", name="Look and decide").last
        last.focus()
        decided, call = last.bounding_box(), page.locator(".alarm[data-alarm=doctor]").bounding_box()
        assert decided is not None
        assert call is not None
        assert decided["y"] + decided["height"] <= call["y"]


def test_the_line_to_the_copy_does_not_wait_for_other_requests(chromium: Browser) -> None:
    run = make_run_with_copy(1)
    with watched(chromium, run) as page:
        page.route(f"**/sessions/{run.pk}/", lambda _route: None)  # never answered
        do_pass(run)
        expect(page.locator("#trails path.over")).to_have_count(1)
        expect(page.get_by_role("button", name=re.compile("Childhood memory, The bird"))).to_have_class(
            re.compile("is-copy")
        )
        expect(page.locator("#alarms .alarm")).to_have_count(0)


def test_after_a_decision_the_alarm_vanishes_and_the_step_continues(chromium: Browser) -> None:
    run = make_run_with_copy(1)
    do_pass(run)
    with watched(chromium, run) as page:
        # The alarm about the copy, and the doctor call that it caused.
        expect(page.locator("#alarms .alarm")).to_have_count(2)
        page.get_by_role("link", name="Look and decide").click()
        page.get_by_label("it belongs to the childhood it was found in").check()
        page.get_by_role("button", name="Go on: what follows?").click()
        page.get_by_role("button", name="Yes, I decide so").click()
        expect(page.locator("#alarms .alarm")).to_have_count(0)
        expect(page.locator("#trails path")).to_have_count(0)
        assert Hold.objects.get(step__run=run).state == Hold.State.SPARED
        assert newest(page, "decided") == "Memory 1 “The last”: the doctor left the copy where it is."
        do_pass(run)
        expect(page.locator(".m1.is-current")).to_be_visible()


def test_while_paused_nothing_moves_and_resume_is_offered(chromium: Browser) -> None:
    run = make_run(2, pace=STILL)
    with watched(chromium, run) as page:
        do_pass(run)
        control.pause(run.pk, by=doctor_of(run))
        expect_state(page, "paused", "Paused")
        held = page.locator("#held")
        expect(held).to_have_css("background-color", AMBER)
        expect(held).to_contain_text("Paused after pass 1 of 13")
        expect(page.locator("#remaining")).to_contain_text("Held by")
        resume = page.get_by_role("button", name="Resume")
        expect(resume).to_have_class(re.compile("button--primary"))
        expect(page.get_by_role("button", name="Pause")).to_have_count(0)
        until(lambda: page.evaluate("document.getAnimations().length") == 0, "no animation is left")
        assert newest(page, "paused") == "Paused by the team."


def test_a_resumed_run_continues(chromium: Browser) -> None:
    run = make_run(2, pace=STILL)
    do_pass(run)
    control.pause(run.pk, by=doctor_of(run))
    with watched(chromium, run) as page:
        expect_state(page, "paused", "Paused")
        control.resume(run.pk, by=doctor_of(run))
        expect_state(page, "running", "Erasing")
        expect(page.locator("#held")).to_be_hidden()
        assert newest(page, "resumed") == "The fade goes on."
        do_pass(run)
        expect(page.locator(".passes .is-done")).to_have_count(2)


def test_a_protected_memory_flies_back_with_its_last_frame(chromium: Browser) -> None:
    run = make_run(2, pace=STILL)
    with watched(chromium, run) as page:
        do_pass(run, 3)
        expect(page.locator(".passes .is-done")).to_have_count(3)
        expect(page.locator("#stage img")).to_have_count(1)
        damaged = f"/pictures/{Keepsake.objects.get(memory=memory_of(run, 2)).thumb_id}"
        expect(page.locator("#stage img")).to_have_attribute("src", damaged)
        before = len([move for move in animations(page) if move["duration"] == 900])
        control.protect(run.pk, memory_of(run, 2).pk, by=doctor_of(run))
        kept = page.locator(".m2.is-protected")
        expect(kept.locator("img")).to_have_attribute("src", damaged)
        assert kept.evaluate("node => getComputedStyle(node).boxShadow").count("rgb") == 2
        expect(page.locator('.bar[data-n="2"]')).to_have_class("bar is-protected")
        expect_counts(page, "1 0 1 0")
        assert newest(page, "protected") == "Memory 2 “Photo 1” is kept, as much of it as was left."
        flights = [move for move in animations(page) if move["duration"] == 900]
        assert len(flights) == before + 1
        # The flight is drawn above everything: inside the map it would be cut off.
        assert flights[-1]["what"] == "ghost"
        assert ["translate" in frame["transform"] for frame in flights[-1]["frames"]] == [True, False]
        expect(page.locator(".ghost")).to_have_count(0)
        expect(kept.locator("img")).to_be_visible()


def test_a_memory_that_is_being_viewed_stays_on_the_stage(chromium: Browser) -> None:
    run = make_run(2, pace=STILL)
    with watched(chromium, run) as page:
        do_pass(run, 3)
        expect(page.locator(".passes .is-done")).to_have_count(3)
        page.locator(".m1").click()
        screen = StoredObject.objects.get(memory_id=memory_of(run, 1).pk, role=StoredObject.Role.SCREEN)
        looked_at = f"/pictures/{screen.pk}"
        expect(page.locator(f'#stage img[src="{looked_at}"]')).to_have_count(1)
        before = durations(page)
        control.protect(run.pk, memory_of(run, 2).pk, by=doctor_of(run))
        expect(page.locator(".m2.is-protected img")).to_be_visible()
        expect(page.locator(f'#stage img[src="{looked_at}"]')).to_have_count(1)
        flights = [move for move in animations(page) if move["what"] == "ghost"]
        assert len(flights) == (1 if 900 in before else 0)


def test_a_doctor_call_is_shown_and_acknowledged(chromium: Browser) -> None:
    run = make_run(1, pace=STILL)
    with watched(chromium, run) as page:
        control.call_doctor(run.pk, by=run.procedure.case.patient)
        expect(page.get_by_role("alert").filter(has_text="The doctor has been called")).to_be_visible()
        assert newest(page, "doctor-called") == "The doctor has been called."
        page.get_by_role("button", name="I am coming").click()
        expect(page.locator("#alarms .alarm")).to_have_count(0)
        assert newest(page, "doctor-acknowledged") == "The doctor is coming."


def test_the_safe_word_pauses_the_run_and_calls_the_doctor(chromium: Browser) -> None:
    run = make_run(1, pace=STILL)
    patient = run.procedure.case.patient
    with watched(chromium, run, patient) as page:
        page.get_by_role("button", name="Safe word said").click()
        expect_state(page, "paused", "Paused")
        expect(page.get_by_role("alert").filter(has_text="The doctor has been called")).to_be_visible()
        assert newest(page, "paused") == "The safe word was said. Everything has stopped."
        # The alarm is read out, and the log does not read out the same.
        expect(page.get_by_role("alert").filter(has_text="The safe word was said Pressed")).to_be_visible()
        assert [text for text in announcements(page) if "safe word" in text or "doctor" in text] == []


def test_after_a_withdrawal_the_run_stops(chromium: Browser) -> None:
    run = make_run(2, pace=STILL)
    case = run.procedure.case
    with watched(chromium, run) as page:
        do_pass(run)
        withdraw(case, by=case.patient)
        expect_state(page, "aborting", "Stopping")
        assert newest(page, "withdrawn") == "Consent was withdrawn. Nothing more fades."
        expect(page.get_by_role("button", name="Pause")).to_have_count(0)
        finish(run.pk)
        expect_state(page, "aborted", "Stopped")
        expect(page.locator("#nobody")).to_contain_text("What is gone stays gone.")


def test_after_an_abort_remaining_memories_stay_visible(chromium: Browser) -> None:
    run = make_run(2, pace=STILL)
    with watched(chromium, run) as page:
        do_memory(run)
        expect(page.locator(".m2.is-destroyed")).to_be_attached()
        control.abort(run.pk, by=doctor_of(run), reason="doubt")
        expect_state(page, "aborting", "Stopping")
        assert newest(page, "aborting") == "The session is being ended. What is gone stays gone."
        finish(run.pk)
        expect_state(page, "aborted", "Stopped")
        expect(page.locator(".m1 img")).to_have_count(1)
        expect(page.locator("#nothing")).to_be_hidden()
        assert newest(page, "finished") == "The session was stopped: 1 destroyed, 1 not."


def test_a_finished_run_has_a_white_map(chromium: Browser) -> None:
    run = make_run(2, pace=STILL)
    with watched(chromium, run) as page:
        finish_run(run)
        expect_state(page, "finished", "Finished")
        expect(page.locator("#nothing")).to_contain_text("Nothing left.")
        expect(page.locator("#nothing")).to_contain_text("2 memories destroyed.")
        expect(page.locator("#map img")).to_have_count(0)
        expect(page.locator("#map")).to_have_css("background-color", "rgb(247, 249, 248)")
        corners = "node => getComputedStyle(node, '::before').opacity"
        assert page.locator(".m1").evaluate(corners) == "0.26"
        expect(page.locator(".m1")).to_have_css("color", "rgba(0, 0, 0, 0)")
        until(lambda: 2400 in durations(page), "the last of the sea going white")
        expect(page.locator(".facts")).not_to_contain_text("Clementine")
        assert newest(page, "finished") == "It is over: 2 destroyed."


def test_the_verification_is_a_log_line_and_shown_at_the_top(chromium: Browser) -> None:
    run = make_run(1, pace=STILL)
    with watched(chromium, run) as page:
        finish_run(run)
        assert newest(page, "run-verified") == "The whole run is verified: nothing was found."
        expect(page.locator("#remaining")).to_have_text("Verified: nothing found")


def test_the_certificate_is_linked_when_it_is_issued(chromium: Browser) -> None:
    run = make_run(1, pace=STILL)
    with watched(chromium, run) as page:
        finish_run(run)
        assert newest(page, "certificate") == "The certificate is signed."
        page.get_by_role("link", name="Open the certificate").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Certificate of erasure")


# --- The log ----------------------------------------------------------------------------------------------


def test_the_log_follows_until_it_is_stopped_and_leads_back_to_the_newest_line(chromium: Browser) -> None:
    run = make_run(1, pace=STILL)
    with watched(chromium, run) as page:
        follow = page.get_by_role("button", name="Follow")
        expect(follow).to_have_attribute("aria-pressed", "true")
        for _turn in range(8):
            control.pause(run.pk, by=doctor_of(run))
            control.resume(run.pk, by=doctor_of(run))
        expect(page.locator("#log li")).to_have_count(17)
        assert page.locator("#log").evaluate("list => list.scrollTop") == 0
        follow.click()
        expect(follow).to_have_attribute("aria-pressed", "false")
        before = page.locator("#log li").first.bounding_box()
        said = announcements(page)
        control.pause(run.pk, by=doctor_of(run))
        control.resume(run.pk, by=doctor_of(run))
        back = page.get_by_role("button", name="2 newer, show them")
        expect(back).to_be_visible()
        assert page.locator("#log li").nth(2).bounding_box() == before
        assert announcements(page) == said
        back.click()
        expect(back).to_be_hidden()
        expect(follow).to_have_attribute("aria-pressed", "true")
        assert page.locator("#log").evaluate("list => list.scrollTop") == 0
        expect(follow).to_be_focused()


def test_the_log_does_not_move_while_somebody_has_scrolled_back(chromium: Browser) -> None:
    run = make_run(1, pace=STILL)
    for _turn in range(12):
        control.pause(run.pk, by=doctor_of(run))
        control.resume(run.pk, by=doctor_of(run))
    with watched(chromium, run) as page:
        log = page.locator("#log")
        log.hover()
        page.mouse.wheel(0, 120)
        until(lambda: log.evaluate("list => Math.round(list.scrollTop)") == 120, "the wheel's way to its end")
        expect(page.get_by_role("button", name="Follow")).to_have_attribute("aria-pressed", "false")
        inside = "list => list.children[{}].offsetTop - list.scrollTop"
        before = log.evaluate(inside.format(12))
        control.call_doctor(run.pk, by=None)
        expect(page.get_by_role("button", name="1 newer, show them")).to_be_visible()
        assert log.evaluate(inside.format(13)) == before


# --- The keyboard -----------------------------------------------------------------------------------------


def test_every_control_is_reached_by_tab_and_the_map_is_one_tab_stop(chromium: Browser) -> None:
    run = make_run_with_copy(3)
    do_pass(run)
    with watched(chromium, run) as page:
        page.locator("#main").focus()
        names = []
        for _press in range(40):
            page.keyboard.press("Tab")
            name = page.evaluate(
                "(document.activeElement.getAttribute('aria-label') || document.activeElement.textContent ||"
                " document.activeElement.id).trim()"
            )
            if not page.evaluate("Boolean(document.activeElement.closest('main'))"):
                break
            names.append(re.sub(r"\s+", " ", name))
        controls = ["Look and decide", "Pause", "Protect this", "Call the doctor"]
        controls += ["Safe word said", "Abort procedure…", "Follow"]
        found = [next((i for i, name in enumerate(names) if name.startswith(c)), None) for c in controls]
        assert None not in found, names
        assert found == sorted(found)  # type: ignore[type-var]
        assert len([name for name in names if name.startswith(("Memory", "Childhood"))]) == 1


def test_arrows_home_and_end_move_between_memories(chromium: Browser) -> None:
    run = make_run_with_copy(4)
    with watched(chromium, run) as page:
        page.locator(".m4").focus()
        page.keyboard.press("ArrowLeft")
        expect(page.locator(".m3")).to_be_focused()
        page.keyboard.press("Home")
        expect(page.get_by_role("button", name=re.compile("Childhood memory, The bird"))).to_be_focused()
        page.keyboard.press("ArrowRight")
        expect(page.locator(".m1")).to_be_focused()
        page.keyboard.press("End")
        expect(page.locator(".m4")).to_be_focused()
        assert page.locator('.print[tabindex="0"]').count() == 1
        page.keyboard.press("ArrowLeft")
        page.keyboard.press("Enter")
        expect(page.locator("#about [data-part=title]")).to_have_text("Photo 2")
        expect(page.locator(".m3.is-chosen")).to_be_focused()


def test_keyboard_shortcuts_can_be_switched_off_and_stay_off(chromium: Browser) -> None:
    run = make_run(1, pace=STILL)
    with watched(chromium, run) as page:
        box = page.get_by_role("checkbox", name=re.compile("Keys"))
        box.uncheck()
        page.locator("#main").focus()
        page.keyboard.press("Space")
        page.keyboard.press("d")
        page.reload()
        expect(box).not_to_be_checked()
        expect_state(page, "running", "Erasing")
        assert run.calls.count() == 0
        box.check()
        page.locator("#main").focus()
        page.keyboard.press("d")
        expect(page.locator("#alarms .alarm")).to_have_count(1)


def test_a_decision_can_be_made_with_the_keyboard_only(chromium: Browser) -> None:
    run = make_run_with_copy(1)
    do_pass(run)
    with watched(chromium, run, make_doctor()) as page:
        page.get_by_role("link", name="Look and decide").focus()
        page.keyboard.press("Enter")
        sheet = page.locator("#sheet")
        expect(sheet.get_by_role("heading", name="A copy of memory 1")).to_be_focused()
        expect(sheet.locator(".likeness-picture img[src$='/blurred']")).to_have_count(2)
        expect(sheet.locator("input:checked")).to_have_count(0)
        page.keyboard.press("Escape")
        expect(sheet).to_be_hidden()
        expect(page.get_by_role("link", name="Look and decide")).to_be_focused()
        page.keyboard.press("Enter")
        sheet.get_by_label("See both sharp. Why?").select_option("compare")
        sheet.get_by_role("button", name="Show both").press("Enter")
        expect(sheet.locator(".likeness-picture img[src$='/blurred']")).to_have_count(0)
        expect(sheet.locator(".likeness-picture img")).to_have_count(2)
        expect(sheet.locator("#likeness [autofocus]")).to_be_focused()
        sheet.get_by_label("it is not a copy").focus()
        page.keyboard.press("ArrowDown")
        page.keyboard.press("ArrowDown")
        expect(sheet.get_by_label("the patient asked for it").first).to_be_checked()
        page.keyboard.press("Enter")
        expect(sheet.get_by_role("heading", name="What follows")).to_be_focused()
        expect(sheet.locator(".follows")).to_have_text(
            "Memory 1 is erased tonight. The copy in childhood stays; the night is then partial."
        )
        expect(sheet.locator(".likeness-picture img[src$='/blurred']")).to_have_count(0)
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        expect(page.locator("#alarms .alarm")).to_have_count(0)
        expect(sheet.locator(".notice")).to_have_text("Decided. The procedure goes on.")
        expect(sheet.locator(".notice")).to_be_focused()
        expect(sheet.locator("img")).to_have_count(0)
        hold = Hold.objects.get(step__run=run)
        assert (hold.state, hold.reason) == (Hold.State.SPARED, resistance.Reason.PATIENT_ASKED)
        assert Entry.objects.filter(action="keepsake.unblurred", reason="compare").count() == 2
