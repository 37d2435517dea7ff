"""The session page with reduced motion, without WebGL or scripts, on phones, walls and paper."""

import re
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from erasure.runs import control
from patients.memories.models import Memory
from tests.browser.browsing import PHONE, wait_until_true
from tests.browser.watching import (
    STILL,
    animations,
    at_session,
    do_memory,
    do_pass,
    doctor_of,
    durations,
    finish_run,
    make_run_with_copy,
    memory_of,
    served,
    watched,
)
from tests.factories import make_case, make_keepsake, make_memory, make_run
from tests.processes import until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser]

NO_WEBGL = """
window.asked = 0;
const get = HTMLCanvasElement.prototype.getContext;
HTMLCanvasElement.prototype.getContext = function (kind, ...more) {
  if (!/webgl/.test(kind)) return get.call(this, kind, ...more);
  window.asked++;
  return null;
};
"""


def box(page: Page, what: str) -> dict[str, float]:
    found = page.locator(what).first.bounding_box()
    assert found is not None, what
    return dict(found)


def assert_top_down(page: Page, *parts: str) -> None:
    """Assert that these elements are below each other in this order."""
    tops = [box(page, part)["y"] for part in parts]
    assert tops == sorted(tops), list(zip(parts, tops, strict=True))


def assert_no_sideways_scrolling(page: Page) -> None:
    """Assert that the page does not scroll sideways."""
    wait_until_true(page, "document.documentElement.scrollWidth === document.documentElement.clientWidth")


def has_drawing(page: Page, what: str) -> bool:
    """Whether the canvas has anything painted on it."""
    return bool(
        page.locator(what).evaluate(
            "canvas => {"
            " const copy = document.createElement('canvas');"
            " Object.assign(copy, { width: canvas.width, height: 60 });"
            " const ctx = copy.getContext('2d');"
            " ctx.drawImage(canvas, 0, 0);"
            " return new Set(ctx.getImageData(0, 0, copy.width, 60).data).size > 8; }"
        )
    )


def test_with_reduced_motion_nothing_moves_and_everything_is_shown(chromium: Browser) -> None:
    run = make_run_with_copy(3)
    with watched(chromium, run, reduced_motion="reduce") as page:
        do_pass(run)
        expect(page.locator(".m3.is-held")).to_be_visible()
        do_memory(run)
        expect(page.locator(".m2.is-destroyed")).to_be_attached()
        do_pass(run)
        expect(page.locator(".m1.is-current")).to_be_visible()
        expect(page.locator("#stage img")).to_have_count(1)
        control.protect(run.pk, memory_of(run, 1).pk, by=doctor_of(run))
        expect(page.locator(".m1.is-protected img")).to_have_count(1)
        moved = [
            move for move in animations(page) if re.search("translate|rotate|scale", str(move["frames"]))
        ]
        assert moved == []
        # States change by fading at their place: only opacity is animated.
        until(lambda: {600, 900, 1400} <= durations(page), "the number, the frame and the coast fading")
        assert [
            move["frames"] for move in animations(page) if {"opacity"} != set().union(*move["frames"])
        ] == []
        flakes = (
            "nodes => nodes.some(canvas => canvas.getContext('2d')"
            ".getImageData(0, 0, canvas.width, canvas.height).data.some(Boolean))"
        )
        assert not page.locator(".flakes").evaluate_all(flakes)
        slow = page.evaluate(
            "[...document.querySelectorAll('.session *')].map(node => getComputedStyle(node))"
            ".filter(css => /transform|translate|scale|rotate|all/.test(css.transitionProperty))"
            ".map(css => css.transitionDuration)"
        )
        assert set(slow) <= {"0s", "1e-05s", "0.00001s", "0.001s"}
        page.locator(".m3").hover()
        expect(page.locator(".m3")).to_have_css("z-index", "3")  # while the pointer is on it
        expect(page.locator(".m3")).to_have_css("scale", "none")


def test_without_webgl_the_shore_is_drawn_too(chromium: Browser) -> None:
    run = make_run(2, pace=STILL)
    with served(chromium) as site:
        visitor = site.visitor(doctor_of(run))
        visitor.page.add_init_script(NO_WEBGL)
        visitor.go(f"/sessions/{run.pk}/")
        page = visitor.page
        expect(page.locator("html.script")).to_be_attached()
        expect(page.locator("#shore")).to_be_visible()
        assert has_drawing(page, "#shore")
        do_memory(run)
        expect(page.locator(".m2.is-destroyed")).to_be_attached()
        do_pass(run)
        expect(page.locator("#stage img")).to_have_count(1)


def test_without_a_script_the_page_shows_the_same_and_reloads(chromium: Browser) -> None:
    run = make_run_with_copy(3)
    do_pass(run)
    do_memory(run)
    with served(chromium) as site:
        scripted = at_session(site, run)
        plain = at_session(site, run, java_script_enabled=False)
        assert plain.locator('meta[http-equiv="refresh"]').get_attribute("content") == "15"
        expect(plain.locator(".as-of")).to_contain_text("this page looks again every 15 seconds")
        for part in ("#counts", "#log", "#alarms", ".tally", ".about .titled"):
            ticking = r"(?m)^Unanswered for .*$"  # a clock that only the script adds
            text = re.sub(ticking, "", scripted.locator(part).inner_text())
            assert plain.locator(part).inner_text().split() == text.split()
        names = "nodes => nodes.map(node => node.getAttribute('aria-label'))"
        assert plain.locator(".print").evaluate_all(names) == scripted.locator(".print").evaluate_all(names)
        # The line from the copy in childhood to the held memory.
        way = plain.locator(".ways path").last
        expect(way).to_have_css("stroke-dasharray", "5px, 5px")
        line = box(plain, ".ways path")
        copy, target = box(plain, ".print.is-copy"), box(plain, ".m3")
        assert abs(line["x"] - (copy["x"] + copy["width"])) < 12
        assert abs(line["x"] + line["width"] - target["x"]) < 30
        middle = copy["y"] + copy["height"] / 2
        assert line["y"] - 2 <= middle <= line["y"] + line["height"] + 2
        assert_no_sideways_scrolling(plain)


def test_without_a_script_a_phone_shows_the_parts_one_below_the_other(chromium: Browser) -> None:
    run = make_run_with_copy(3)
    do_pass(run)
    with watched(chromium, run, viewport=PHONE, java_script_enabled=False) as page:
        assert_top_down(
            page, "#state", "#alarms", "#controls", ".log", ".strip", "#counts", ".m1", ".childhood"
        )
        assert_no_sideways_scrolling(page)
        page.get_by_role("button", name=re.compile("Memory 1")).click()
        expect(page.locator("#about [data-part=number]")).to_have_text("[1]")


def test_on_a_phone_the_panel_comes_first_and_then_memories_in_order_of_time(chromium: Browser) -> None:
    run = make_run(7, pace=STILL)
    with watched(chromium, run, viewport=PHONE) as page:
        do_pass(run)
        expect(page.locator(".m7.is-current")).to_be_attached()
        assert_top_down(page, "#state", "#stage", "#about", "#controls", ".log", ".strip", "#counts", ".m1")
        places = [box(page, f".m{n}") for n in range(1, 8)]
        order = sorted(range(7), key=lambda i: (places[i]["y"], places[i]["x"]))
        assert order == list(range(7))
        assert len({place["x"] for place in places}) == 3
        small = page.locator("#controls button:visible").evaluate_all(
            "buttons => buttons.filter(b => b.getBoundingClientRect().height < 44).map(b => b.textContent)"
        )
        assert small == []
        assert_no_sideways_scrolling(page)


@pytest.mark.parametrize(("width", "beside"), [(1100, True), (1099, False)])
def test_from_1100_pixels_on_the_map_is_beside_the_panel(chromium: Browser, width: int, beside: bool) -> None:
    run = make_run(4, pace=STILL)
    with watched(chromium, run, viewport={"width": width, "height": 800}) as page:
        panel, chart = box(page, ".panel"), box(page, "#map")
        if beside:
            assert (panel["width"], panel["x"]) == (392, width - 392)
            assert chart["x"] == 0
            expect(page.locator("#shore")).to_be_visible()
            wait_until_true(page, "document.documentElement.scrollHeight <= innerHeight")
        else:
            assert_top_down(page, ".panel", ".strip", "#map")
            expect(page.locator("#shore")).to_be_hidden()
        assert_no_sideways_scrolling(page)


def test_the_wall_view_has_no_names_and_no_controls(chromium: Browser) -> None:
    run = make_run_with_copy(3)
    do_pass(run)
    do_memory(run)
    size = {"width": 1920, "height": 1080}
    with watched(chromium, run, name="wall", viewport=size) as page:
        expect(page.locator(".m3.is-held")).to_be_visible()
        do_pass(run)
        expect(page.locator(".m1.is-current")).to_be_visible()
        expect(page.locator('#log li[data-kind="pass"]').first).to_contain_text("Memory 1 fades")
        text = page.content()
        people = (run.procedure.case.patient.name, "Clementine")
        titles = ("The bird", "The last", "Photo 0", "Photo 1", "A caption")
        assert not [word for word in (*people, *titles) if word in text]
        assert page.locator("main img").count() == 0
        expect(page.get_by_role("navigation")).to_have_count(0)
        for what in ("Pause", "Protect this", "Call the doctor", "Abort procedure…", "Log out"):
            expect(page.get_by_role("button", name=what)).to_have_count(0)
        size_of = "node => parseFloat(getComputedStyle(node).fontSize)"
        assert page.locator("#state").evaluate(size_of) >= 32
        assert page.locator("#log li span").first.evaluate(size_of) >= 16
        assert_no_sideways_scrolling(page)


def test_with_forced_colors_every_state_looks_different(chromium: Browser) -> None:
    case = make_case()
    make_keepsake(make_memory(case, "Kept", "2003-01-01", fate=Memory.Fate.PROTECTED))
    run = make_run(3, case=case, pace=STILL)
    do_memory(run)
    do_pass(run)
    with watched(chromium, run, forced_colors="active") as page:
        assert page.evaluate("matchMedia('(forced-colors: active)').matches")
        style: dict[str, Any] = {}
        for state in ("waiting", "destroyed", "protected", "current"):
            style[state] = page.locator(f".print.is-{state}").first.evaluate(
                "node => { const css = getComputedStyle(node), before = getComputedStyle(node, '::before');"
                " return [css.borderTopStyle, css.borderTopWidth, css.outlineStyle,"
                " before.backgroundImage !== 'none']; }"
            )
        assert len({str(value) for value in style.values()}) == 4, style
        bars = page.locator(".bar").evaluate_all("nodes => nodes.map(n => getComputedStyle(n).fill)")
        assert len(set(bars)) == 3
        button = page.get_by_role("button", name="Pause")
        expect(button).to_be_visible()


def test_a_printed_session_has_state_counts_map_and_the_whole_log(chromium: Browser) -> None:
    run = make_run_with_copy(3)
    do_pass(run)
    do_memory(run)
    with watched(chromium, run) as page:
        page.set_viewport_size({"width": 780, "height": 1000})
        page.emulate_media(media="print")
        assert_top_down(page, "#state", "#alarms", "#counts", ".m1", ".strip", "#log")
        for gone in ("#controls", "#stage", "#about", ".print img", "#follow", ".alarms form"):
            expect(page.locator(gone).first).to_be_hidden()
        for n in (1, 2, 3):
            expect(page.locator(f".m{n}")).to_be_visible()
            expect(page.locator(f".m{n} > span")).to_be_visible()
        chart, first = box(page, "#map"), box(page, ".m3")
        assert chart["x"] <= first["x"]
        assert first["x"] + first["width"] <= chart["x"] + chart["width"]
        log = page.locator("#log").evaluate("list => list.scrollHeight - list.clientHeight")
        assert log == 0
        expect(page.locator("#log li").last).to_be_visible()
        # Paper is kept, so a destroyed memory must have a number and no title on it.
        do_memory(run)
        expect(page.locator(".m1.is-destroyed")).to_be_attached()
        assert [name for name in ("Photo 0", "Photo 1") if name in page.locator("main").inner_text()] == []
        expect(page.locator("#log")).to_contain_text("Memory 1 is gone")


def test_a_printed_finished_session_has_only_lacunae(chromium: Browser) -> None:
    run = finish_run(make_run(2))
    with watched(chromium, run) as page:
        page.emulate_media(media="print")
        corners = page.locator(".m2").evaluate("node => getComputedStyle(node, '::before').backgroundImage")
        assert corners != "none"
        expect(page.locator(".tally")).to_have_text("2 of 2 destroyed")
        expect(page.locator("#log")).to_contain_text("The night begins: 2 memories.")
