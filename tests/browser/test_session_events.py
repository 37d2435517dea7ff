"""Each thing that happens in a session, as it is seen, moved, logged and read aloud (the table of motions).

The test is the worker and the staff: what happens is done by the functions that do it in a real night.
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
    a_memory_goes,
    a_pass,
    a_run_with_a_copy,
    doctor_of,
    durations,
    memory_of,
    moves,
    to_the_end,
    watched,
)
from tests.factories import make_doctor, make_run
from tests.house import until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser]

# What is moved from now on takes so long that a test can come between.
SLOWLY = """() => {
  const real = Element.prototype.animate;
  Element.prototype.animate = function (...all) {
    const animation = real.apply(this, all);
    animation.playbackRate = 0.001;
    return animation;
  };
}"""
AMBER, RED = "rgb(247, 236, 210)", "rgb(157, 35, 28)"


def newest(page: Page, kind: str) -> str:
    """The log's newest line of a kind, once it is there."""
    line = page.locator(f'#log li[data-kind="{kind}"] span').first
    expect(line).to_be_attached()
    return line.inner_text()


def state(page: Page, word: str, text: str) -> None:
    expect(page.locator("#session")).to_have_attribute("data-state", word)
    expect(page.locator("#state")).to_have_text(text)


def told(page: Page) -> list[str]:
    """What was said to those who listen."""
    found: list[str] = page.evaluate("window.told")
    return found


def count(page: Page, of: str) -> None:
    """The counts as "map destroyed protected off"."""
    parts = page.locator("#counts [data-count]")
    expect(parts).to_have_text(of.split())


def test_started_it_flies_to_the_stage_and_leaves_its_number(chromium: Browser) -> None:
    run = make_run(2, pace=STILL)
    with watched(chromium, run) as page:
        expect(page.locator(".m2 img")).to_have_count(1)
        a_pass(run)
        place = page.locator(".m2.is-current")
        expect(place.locator("img")).to_have_count(0)
        expect(place).to_have_text("2")
        expect(page.locator("#about [data-part=number]")).to_have_text("[2]")
        expect(page.locator("#stage img")).to_have_count(1)
        assert newest(page, "memory-started") == "Memory 2 “Photo 1” begins to fade."
        flight = [move for move in moves(page) if "translate" in str(move["frames"])]
        assert [move["duration"] for move in flight] == [900]
        assert "Memory 2 “Photo 1” begins to fade." in told(page)


def test_there_is_no_flight_where_memories_come_fast(chromium: Browser) -> None:
    run = make_run(2, pace=1.4)
    with watched(chromium, run) as page:
        a_memory_goes(run)
        expect(page.locator(".m2.is-destroyed")).to_be_attached()
        assert [move for move in moves(page) if "translate" in str(move["frames"])] == []


def test_a_pass_shows_the_frame_that_now_exists(chromium: Browser) -> None:
    run = make_run(1, pace=STILL)
    with watched(chromium, run) as page:
        a_pass(run)
        shown = page.locator("#stage img")
        frame = f"/pictures/{Keepsake.objects.get(memory=memory_of(run, 1)).thumb_id}"
        expect(page.locator(f'#stage img[src="{frame}"]')).to_have_count(1)
        expect(shown).to_have_count(1)
        first, bits = shown.get_attribute("src"), page.locator("[data-part=bits]").inner_text()
        a_pass(run)
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


def test_a_flight_that_lands_does_not_undo_the_frame_that_came_meanwhile(chromium: Browser) -> None:
    run = make_run(1, pace=STILL)
    with watched(chromium, run) as page:
        a_pass(run)  # begins the flight and brings the first frame at once
        frame = f"/pictures/{Keepsake.objects.get(memory=memory_of(run, 1)).thumb_id}"
        expect(page.locator(f'#stage img[src="{frame}"]')).to_have_count(1)
        expect(page.locator("#stage img")).to_have_count(1)


def test_a_fade_is_read_aloud_a_quarter_at_a_time(chromium: Browser) -> None:
    run = make_run(1, pace=STILL)
    with watched(chromium, run) as page:
        for level in range(1, 13):
            a_pass(run)
            expect(page.locator(".passes .is-done")).to_have_count(level)
        assert [text for text in told(page) if "fades" in text] == [
            f"Memory 1 “Photo 0” fades: pass {level} of 13." for level in (3, 6, 9, 12)
        ]


def test_destroyed_nothing_of_it_is_left_on_the_page(chromium: Browser) -> None:
    run = make_run(2, pace=STILL)
    with watched(chromium, run) as page:
        assert "Photo 1" in page.content()
        a_memory_goes(run)
        gone = page.get_by_role("button", name="Memory 2, destroyed")
        expect(gone).to_be_visible()
        expect(gone).to_have_attribute("aria-disabled", "true")
        expect(gone.locator("img")).to_have_count(0)
        expect(page.locator("#stage img")).to_have_count(0)
        expect(page.locator('.bar[data-n="2"]')).to_have_class("bar is-destroyed")
        count(page, "1 1 0 0")
        assert newest(page, "destroyed").startswith("Memory 2 is gone: ")
        expect(page.locator("main")).not_to_contain_text("Photo 1")
        until(lambda: {600, 1400} <= durations(page), "the number and the coast, which a worker draws")


def test_resistance_trembles_within_three_pixels_and_asks_for_the_doctor(chromium: Browser) -> None:
    run = a_run_with_a_copy()
    with watched(chromium, run) as page:
        a_pass(run)
        alarm = page.get_by_role("alert").filter(has_text="[2] is hidden off the map")
        expect(alarm).to_contain_text("Its likeness was found in “The bird”")
        expect(page.locator(".call")).to_have_css("background-color", RED)
        expect(page.locator(".m2.is-held")).to_be_visible()
        assert newest(page, "held") == (
            "Memory 2 “The last” is held: a copy was found off the map. The doctor decides."
        )
        until(lambda: 700 in durations(page), "the tremor, which waits for the picture that trembles")
        tremors = [move for move in moves(page) if move["duration"] == 700]
        reach = [float(px) for move in tremors for px in re.findall(r"(-?[\d.]+)px", str(move["frames"]))]
        assert max(abs(px) for px in reach) <= 3
        assert "opacity" not in str(tremors)


def test_off_the_map_a_dashed_line_leads_to_childhood(chromium: Browser) -> None:
    run = a_run_with_a_copy(1)
    with watched(chromium, run) as page:
        a_pass(run)
        state(page, "held", "Off the map")
        count(page, "1 0 0 1")
        expect(page.locator("#trails path.over")).to_have_css("stroke-dasharray", "5px, 5px")
        expect(page.locator(".print.is-copy")).to_have_attribute(
            "aria-label", re.compile("Childhood memory, The bird")
        )
        expect(page.locator("#stage .blank")).to_have_css("visibility", "visible")
        expect(page.locator("#stage img")).to_have_count(0)
        expect(page.locator("#remaining")).to_have_text("")


def test_the_next_memory_waits_in_its_place_until_the_stage_is_free(chromium: Browser) -> None:
    run = a_run_with_a_copy()
    with watched(chromium, run) as page:
        a_pass(run)  # one is held, and the next is at work in the same breath
        frame = f"/pictures/{Keepsake.objects.get(memory=memory_of(run, 1)).thumb_id}"
        expect(page.locator(f'#stage img[src="{frame}"]')).to_have_count(1)
        expect(page.locator("#stage img")).to_have_count(1)
        moved = [(move["what"], move["duration"]) for move in moves(page)]
        order = [moved.index(one) for one in (("stage-print", 700), ("dye", 1200), ("ghost", 900))]
        assert order == sorted(order)
        assert ("stage-print ghost", 1500) in moved[order[1] : order[2]]
        expect(page.locator(".ghost")).to_have_count(0)


def test_a_pause_ends_the_way_off_the_map(chromium: Browser) -> None:
    run = a_run_with_a_copy()
    with watched(chromium, run) as page:
        page.evaluate(SLOWLY)
        a_pass(run)
        until(lambda: 1200 in durations(page), "it bleeds")
        control.pause(run.pk, by=doctor_of(run))
        state(page, "paused", "Paused")
        until(lambda: page.evaluate("document.getAnimations().length") == 0, "all stands still")
        expect(page.locator("#stage img")).to_have_count(1)
        expect(page.locator(".ghost")).to_have_count(0)
        assert {900, 1500} & durations(page) == set()


@pytest.mark.parametrize("paused", [False, True], ids=["held", "paused"])
@pytest.mark.parametrize("copies", [1, 3])
@pytest.mark.parametrize(("width", "height"), [(1440, 900), (1280, 800)])
def test_alarms_and_a_call_leave_every_control_in_sight(
    chromium: Browser, width: int, height: int, copies: int, *, paused: bool
) -> None:
    run = a_run_with_a_copy(copies + 1, copies)
    a_pass(run)
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
        # What more there is to decide is scrolled to by whoever tabs there; the call does not lie over it.
        last = page.locator("#alarms").get_by_role("link", name="Look and decide").last
        last.focus()
        decided, call = last.bounding_box(), page.locator(".alarm[data-alarm=doctor]").bounding_box()
        assert decided is not None
        assert call is not None
        assert decided["y"] + decided["height"] <= call["y"]


def test_the_line_is_there_with_the_event_whatever_else_the_page_waits_for(chromium: Browser) -> None:
    run = a_run_with_a_copy(1)
    with watched(chromium, run) as page:
        page.route(f"**/sessions/{run.pk}/", lambda _route: None)  # the page is asked for, and never comes
        a_pass(run)
        expect(page.locator("#trails path.over")).to_have_count(1)
        expect(page.get_by_role("button", name=re.compile("Childhood memory, The bird"))).to_have_class(
            re.compile("is-copy")
        )
        expect(page.locator("#alarms .alarm")).to_have_count(0)


def test_decided_the_alarm_goes_and_the_step_comes_back(chromium: Browser) -> None:
    run = a_run_with_a_copy(1)
    a_pass(run)
    with watched(chromium, run) as page:
        # The copy, and the call for the doctor that it raised.
        expect(page.locator("#alarms .alarm")).to_have_count(2)
        page.get_by_role("link", name="Look and decide").click()
        page.get_by_label("it belongs to the childhood it was found in").check()
        page.get_by_role("button", name="Go on: what follows?").click()
        page.get_by_role("button", name="Yes, I decide so").click()
        expect(page.locator("#alarms .alarm")).to_have_count(0)
        expect(page.locator("#trails path")).to_have_count(0)
        assert Hold.objects.get(step__run=run).state == Hold.State.SPARED
        assert newest(page, "decided") == "Memory 1 “The last”: the doctor left the copy where it is."
        a_pass(run)
        expect(page.locator(".m1.is-current")).to_be_visible()


def test_paused_nothing_moves_and_going_on_is_at_hand(chromium: Browser) -> None:
    run = make_run(2, pace=STILL)
    with watched(chromium, run) as page:
        a_pass(run)
        control.pause(run.pk, by=doctor_of(run))
        state(page, "paused", "Paused")
        held = page.locator("#held")
        expect(held).to_have_css("background-color", AMBER)
        expect(held).to_contain_text("Paused after pass 1 of 13")
        expect(page.locator("#remaining")).to_contain_text("Held by")
        resume = page.get_by_role("button", name="Resume")
        expect(resume).to_have_class(re.compile("button--primary"))
        expect(page.get_by_role("button", name="Pause")).to_have_count(0)
        until(lambda: page.evaluate("document.getAnimations().length") == 0, "all stands still")
        assert newest(page, "paused") == "Paused by the team."


def test_resumed_it_goes_on_where_it_was(chromium: Browser) -> None:
    run = make_run(2, pace=STILL)
    a_pass(run)
    control.pause(run.pk, by=doctor_of(run))
    with watched(chromium, run) as page:
        state(page, "paused", "Paused")
        control.resume(run.pk, by=doctor_of(run))
        state(page, "running", "Erasing")
        expect(page.locator("#held")).to_be_hidden()
        assert newest(page, "resumed") == "The fade goes on."
        a_pass(run)
        expect(page.locator(".passes .is-done")).to_have_count(2)


def test_protected_it_flies_back_as_damaged_as_it_is(chromium: Browser) -> None:
    run = make_run(2, pace=STILL)
    with watched(chromium, run) as page:
        a_pass(run, 3)
        expect(page.locator(".passes .is-done")).to_have_count(3)
        expect(page.locator("#stage img")).to_have_count(1)
        damaged = f"/pictures/{Keepsake.objects.get(memory=memory_of(run, 2)).thumb_id}"
        expect(page.locator("#stage img")).to_have_attribute("src", damaged)
        before = len([move for move in moves(page) if move["duration"] == 900])
        control.protect(run.pk, memory_of(run, 2).pk, by=doctor_of(run))
        kept = page.locator(".m2.is-protected")
        expect(kept.locator("img")).to_have_attribute("src", damaged)
        assert kept.evaluate("node => getComputedStyle(node).boxShadow").count("rgb") == 2
        expect(page.locator('.bar[data-n="2"]')).to_have_class("bar is-protected")
        count(page, "1 0 1 0")
        assert newest(page, "protected") == "Memory 2 “Photo 1” is kept, as much of it as was left."
        flights = [move for move in moves(page) if move["duration"] == 900]
        assert len(flights) == before + 1
        # From the stage, above everything: the map would cut off what flies in it.
        assert flights[-1]["what"] == "ghost"
        assert ["translate" in frame["transform"] for frame in flights[-1]["frames"]] == [True, False]
        expect(page.locator(".ghost")).to_have_count(0)
        expect(kept.locator("img")).to_be_visible()


def test_what_somebody_looks_at_meanwhile_stays_on_the_stage(chromium: Browser) -> None:
    run = make_run(2, pace=STILL)
    with watched(chromium, run) as page:
        a_pass(run, 3)
        expect(page.locator(".passes .is-done")).to_have_count(3)
        page.locator(".m1").click()
        screen = StoredObject.objects.get(memory_id=memory_of(run, 1).pk, role=StoredObject.Role.SCREEN)
        looked_at = f"/pictures/{screen.pk}"
        expect(page.locator(f'#stage img[src="{looked_at}"]')).to_have_count(1)
        before = durations(page)
        control.protect(run.pk, memory_of(run, 2).pk, by=doctor_of(run))
        expect(page.locator(".m2.is-protected img")).to_be_visible()
        expect(page.locator(f'#stage img[src="{looked_at}"]')).to_have_count(1)
        assert len([move for move in moves(page) if move["what"] == "ghost"]) == (900 in before)


def test_the_doctor_is_called_and_answers(chromium: Browser) -> None:
    run = make_run(1, pace=STILL)
    with watched(chromium, run) as page:
        control.call_doctor(run.pk, by=run.procedure.case.patient)
        expect(page.get_by_role("alert").filter(has_text="The doctor has been called")).to_be_visible()
        assert newest(page, "doctor-called") == "The doctor has been called."
        page.get_by_role("button", name="I am coming").click()
        expect(page.locator("#alarms .alarm")).to_have_count(0)
        assert newest(page, "doctor-acknowledged") == "The doctor is coming."


def test_the_safe_word_stops_everything_and_calls(chromium: Browser) -> None:
    run = make_run(1, pace=STILL)
    patient = run.procedure.case.patient
    with watched(chromium, run, patient) as page:
        page.get_by_role("button", name="Safe word said").click()
        state(page, "paused", "Paused")
        expect(page.get_by_role("alert").filter(has_text="The doctor has been called")).to_be_visible()
        assert newest(page, "paused") == "The safe word was said. Everything has stopped."
        assert "The safe word was said. Everything has stopped." in told(page)


def test_withdrawn_nothing_more_fades(chromium: Browser) -> None:
    run = make_run(2, pace=STILL)
    case = run.procedure.case
    with watched(chromium, run) as page:
        a_pass(run)
        withdraw(case, by=case.patient)
        state(page, "aborting", "Stopping")
        assert newest(page, "withdrawn") == "Consent was withdrawn. Nothing more fades."
        expect(page.get_by_role("button", name="Pause")).to_have_count(0)
        finish(run.pk)
        state(page, "aborted", "Stopped")
        expect(page.locator("#nobody")).to_contain_text("What is gone stays gone.")


def test_aborted_what_is_left_stays_in_sight(chromium: Browser) -> None:
    run = make_run(2, pace=STILL)
    with watched(chromium, run) as page:
        a_memory_goes(run)
        expect(page.locator(".m2.is-destroyed")).to_be_attached()
        control.abort(run.pk, by=doctor_of(run), reason="doubt")
        state(page, "aborting", "Stopping")
        assert newest(page, "aborting") == "The session is being ended. What is gone stays gone."
        finish(run.pk)
        state(page, "aborted", "Stopped")
        expect(page.locator(".m1 img")).to_have_count(1)
        expect(page.locator("#nothing")).to_be_hidden()
        assert newest(page, "finished") == "The session was stopped: 1 destroyed, 1 not."


def test_finished_the_map_is_white(chromium: Browser) -> None:
    run = make_run(2, pace=STILL)
    with watched(chromium, run) as page:
        to_the_end(run)
        state(page, "finished", "Finished")
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


def test_verified_is_a_line_and_a_word_at_the_head(chromium: Browser) -> None:
    run = make_run(1, pace=STILL)
    with watched(chromium, run) as page:
        to_the_end(run)
        assert newest(page, "run-verified") == "The whole run is verified: nothing was found."
        expect(page.locator("#remaining")).to_have_text("Verified: nothing found")


def test_the_certificate_is_offered_when_it_is_there(chromium: Browser) -> None:
    run = make_run(1, pace=STILL)
    with watched(chromium, run) as page:
        to_the_end(run)
        assert newest(page, "certificate") == "The certificate is signed."
        page.get_by_role("link", name="Open the certificate").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Certificate of erasure")


# --- The log ---


def test_the_log_follows_stands_still_and_leads_back(chromium: Browser) -> None:
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
        said = told(page)
        control.pause(run.pk, by=doctor_of(run))
        control.resume(run.pk, by=doctor_of(run))
        back = page.get_by_role("button", name="2 newer, show them")
        expect(back).to_be_visible()
        assert page.locator("#log li").nth(2).bounding_box() == before
        assert told(page) == said
        back.click()
        expect(back).to_be_hidden()
        expect(follow).to_have_attribute("aria-pressed", "true")
        assert page.locator("#log").evaluate("list => list.scrollTop") == 0
        expect(follow).to_be_focused()


def test_who_scrolls_back_to_read_is_not_moved(chromium: Browser) -> None:
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


# --- The keyboard ---


def test_every_control_is_reached_by_tab_and_the_map_is_one_stop(chromium: Browser) -> None:
    run = a_run_with_a_copy(3)
    a_pass(run)
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


def test_walking_the_memories_by_arrows_home_and_end(chromium: Browser) -> None:
    run = a_run_with_a_copy(4)
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


def test_keys_can_be_switched_off_and_stay_off(chromium: Browser) -> None:
    run = make_run(1, pace=STILL)
    with watched(chromium, run) as page:
        box = page.get_by_role("checkbox", name=re.compile("Keys"))
        box.uncheck()
        page.locator("#main").focus()
        page.keyboard.press("Space")
        page.keyboard.press("d")
        page.reload()
        expect(box).not_to_be_checked()
        state(page, "running", "Erasing")
        assert run.calls.count() == 0
        box.check()
        page.locator("#main").focus()
        page.keyboard.press("d")
        expect(page.locator("#alarms .alarm")).to_have_count(1)


def test_a_decision_is_made_by_keyboard_alone(chromium: Browser) -> None:
    run = a_run_with_a_copy(1)
    a_pass(run)
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
        expect(sheet.get_by_role("status")).to_have_text("Decided. The procedure goes on.")
        expect(sheet.locator("img")).to_have_count(0)
        hold = Hold.objects.get(step__run=run)
        assert (hold.state, hold.reason) == (Hold.State.SPARED, resistance.Reason.PATIENT_ASKED)
        assert Entry.objects.filter(action="keepsake.unblurred", reason="compare").count() == 2
