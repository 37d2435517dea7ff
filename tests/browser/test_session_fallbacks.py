"""The session where something is missing: motion, WebGL, scripts, room, names, colors, or the screen."""

import re
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from erasure.runs import control
from patients.memories.models import Memory
from tests.browser.browsing import PHONE
from tests.browser.watching import (
    STILL,
    a_memory_goes,
    a_pass,
    a_run_with_a_copy,
    at_session,
    doctor_of,
    durations,
    memory_of,
    moves,
    served,
    to_the_end,
    watched,
)
from tests.factories import make_case, make_keepsake, make_memory, make_run
from tests.house import until

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


def top_down(page: Page, *parts: str) -> None:
    """Assert that these stand under each other in this order."""
    tops = [box(page, part)["y"] for part in parts]
    assert tops == sorted(tops), list(zip(parts, tops, strict=True))


def fits(page: Page) -> None:
    """Assert that nothing has to be scrolled sideways to."""
    wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert page.evaluate(wide) == 0


def inked(page: Page, what: str) -> bool:
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


def test_stillness_nothing_moves_and_everything_still_happens(chromium: Browser) -> None:
    run = a_run_with_a_copy(3)
    with watched(chromium, run, reduced_motion="reduce") as page:
        a_pass(run)
        expect(page.locator(".m3.is-held")).to_be_visible()
        a_memory_goes(run)
        expect(page.locator(".m2.is-destroyed")).to_be_attached()
        a_pass(run)
        expect(page.locator(".m1.is-current")).to_be_visible()
        expect(page.locator("#stage img")).to_have_count(1)
        control.protect(run.pk, memory_of(run, 1).pk, by=doctor_of(run))
        expect(page.locator(".m1.is-protected img")).to_have_count(1)
        moved = [move for move in moves(page) if re.search("translate|rotate|scale", str(move["frames"]))]
        assert moved == []
        # One state fades into the next, at its place, and nothing but its opacity changes.
        until(lambda: {600, 900, 1400} <= durations(page), "the number, the frame and the coast fading")
        assert [move["frames"] for move in moves(page) if {"opacity"} != set().union(*move["frames"])] == []
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
        expect(page.locator(".m3")).to_have_css("z-index", "3")  # the hand is on it
        expect(page.locator(".m3")).to_have_css("scale", "none")


def test_without_webgl_the_shore_is_drawn_all_the_same(chromium: Browser) -> None:
    run = make_run(2, pace=STILL)
    with served(chromium) as house:
        visitor = house.visitor(doctor_of(run))
        visitor.page.add_init_script(NO_WEBGL)
        visitor.go(f"/sessions/{run.pk}/")
        page = visitor.page
        expect(page.locator("html.script")).to_be_attached()
        expect(page.locator("#shore")).to_be_visible()
        assert inked(page, "#shore")
        a_memory_goes(run)
        expect(page.locator(".m2.is-destroyed")).to_be_attached()
        a_pass(run)
        expect(page.locator("#stage img")).to_have_count(1)


def test_without_a_script_the_page_says_the_same_and_looks_again(chromium: Browser) -> None:
    run = a_run_with_a_copy(3)
    a_pass(run)
    a_memory_goes(run)
    with served(chromium) as house:
        scripted = at_session(house, run)
        plain = at_session(house, run, java_script_enabled=False)
        assert plain.locator('meta[http-equiv="refresh"]').get_attribute("content") == "15"
        expect(plain.locator(".as-of")).to_contain_text("this page looks again every 15 seconds")
        for part in ("#counts", "#log", "#alarms", ".tally", ".about .titled"):
            ticking = r"(?m)^Unanswered for .*$"  # a script's own addition; without it stands since when
            told = re.sub(ticking, "", scripted.locator(part).inner_text())
            assert plain.locator(part).inner_text().split() == told.split()
        names = "nodes => nodes.map(node => node.getAttribute('aria-label'))"
        assert plain.locator(".print").evaluate_all(names) == scripted.locator(".print").evaluate_all(names)
        # The way to childhood, from the copy to the memory that is held.
        way = plain.locator(".ways path").last
        expect(way).to_have_css("stroke-dasharray", "5px, 5px")
        line = box(plain, ".ways path")
        copy, target = box(plain, ".print.is-copy"), box(plain, ".m3")
        assert abs(line["x"] - (copy["x"] + copy["width"])) < 12
        assert abs(line["x"] + line["width"] - target["x"]) < 30
        middle = copy["y"] + copy["height"] / 2
        assert line["y"] - 2 <= middle <= line["y"] + line["height"] + 2
        fits(plain)


def test_without_a_script_on_a_phone_too(chromium: Browser) -> None:
    run = a_run_with_a_copy(3)
    a_pass(run)
    with watched(chromium, run, viewport=PHONE, java_script_enabled=False) as page:
        top_down(page, "#state", "#alarms", "#controls", ".log", ".strip", "#counts", ".m1", ".childhood")
        fits(page)
        page.get_by_role("button", name=re.compile("Memory 1")).click()
        expect(page.locator("#about [data-part=number]")).to_have_text("[1]")


def test_a_phone_has_the_panel_first_and_then_a_contact_sheet_in_time_order(chromium: Browser) -> None:
    run = make_run(7, pace=STILL)
    with watched(chromium, run, viewport=PHONE) as page:
        a_pass(run)
        expect(page.locator(".m7.is-current")).to_be_attached()
        top_down(page, "#state", "#stage", "#about", "#controls", ".log", ".strip", "#counts", ".m1")
        places = [box(page, f".m{n}") for n in range(1, 8)]
        order = sorted(range(7), key=lambda i: (places[i]["y"], places[i]["x"]))
        assert order == list(range(7))
        assert len({place["x"] for place in places}) == 3
        small = page.locator("#controls button:visible").evaluate_all(
            "buttons => buttons.filter(b => b.getBoundingClientRect().height < 44).map(b => b.textContent)"
        )
        assert small == []
        fits(page)


@pytest.mark.parametrize(("width", "beside"), [(1100, True), (1099, False)])
def test_the_map_stands_beside_the_panel_from_1100_pixels_on(
    chromium: Browser, width: int, beside: bool
) -> None:
    run = make_run(4, pace=STILL)
    with watched(chromium, run, viewport={"width": width, "height": 800}) as page:
        panel, chart = box(page, ".panel"), box(page, "#map")
        if beside:
            assert (panel["width"], panel["x"]) == (392, width - 392)
            assert chart["x"] == 0
            expect(page.locator("#shore")).to_be_visible()
            whole = "document.documentElement.scrollHeight <= innerHeight"
            assert page.evaluate(whole)
        else:
            top_down(page, ".panel", ".strip", "#map")
            expect(page.locator("#shore")).to_be_hidden()
        fits(page)


def test_a_wall_has_no_names_and_nothing_to_press(chromium: Browser) -> None:
    run = a_run_with_a_copy(3)
    a_pass(run)
    a_memory_goes(run)
    size = {"width": 1920, "height": 1080}
    with watched(chromium, run, name="wall", viewport=size) as page:
        expect(page.locator(".m3.is-held")).to_be_visible()
        a_pass(run)
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
        fits(page)


def test_colors_of_ones_own_keep_every_state_apart(chromium: Browser) -> None:
    case = make_case()
    make_keepsake(make_memory(case, "Kept", "2003-01-01", fate=Memory.Fate.PROTECTED))
    run = make_run(3, case=case, pace=STILL)
    a_memory_goes(run)
    a_pass(run)
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


def test_on_paper_there_are_state_counts_map_and_the_whole_log(chromium: Browser) -> None:
    run = a_run_with_a_copy(3)
    a_pass(run)
    a_memory_goes(run)
    with watched(chromium, run) as page:
        page.set_viewport_size({"width": 780, "height": 1000})
        page.emulate_media(media="print")
        top_down(page, "#state", "#alarms", "#counts", ".m1", ".strip", "#log")
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
        # A sheet is kept: what is gone has a number on it, and no title any more.
        a_memory_goes(run)
        expect(page.locator(".m1.is-destroyed")).to_be_attached()
        assert [name for name in ("Photo 0", "Photo 1") if name in page.locator("main").inner_text()] == []
        expect(page.locator("#log")).to_contain_text("Memory 1 is gone")


def test_a_finished_session_on_paper_has_only_lacunae(chromium: Browser) -> None:
    run = to_the_end(make_run(2))
    with watched(chromium, run) as page:
        page.emulate_media(media="print")
        corners = page.locator(".m2").evaluate("node => getComputedStyle(node, '::before').backgroundImage")
        assert corners != "none"
        expect(page.locator(".tally")).to_have_text("2 of 2 destroyed")
        expect(page.locator("#log")).to_contain_text("The night begins: 2 memories.")
