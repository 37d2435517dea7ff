"""What the session view costs: bytes, growth, and the layer that only a graphics processor may draw.

No page has a switch for the layer. These tests answer in the browser's name: a script that Playwright runs
ahead of the page's gives the renderer another name, or makes it slow. Nothing here is timed.
"""

import gzip
from pathlib import Path

import pytest
from django.contrib.staticfiles import finders
from django.utils import timezone
from playwright.sync_api import CDPSession, Page, expect

from erasure.runs.models import Run
from tests.erasure.session.test_browser import a_pass, apart, to_the_end, watching
from tests.factories import make_run
from tests.house import ROOT, until

JAVASCRIPT = 60_000  # bytes, compressed: all of it, though no page loads all
GROWTH = 1.1
EVENTS = 2_000
# Chromium draws WebGL2 in software here, where it is asked to.
SOFTWARE = ["--enable-unsafe-swiftshader"]
browser = [pytest.mark.django_db(transaction=True), pytest.mark.browser]

# The renderer by another name, and a count of the textures that live in each context.
A_PROCESSOR = """
const real = WebGL2RenderingContext.prototype, ask = real.getParameter;
real.getParameter = function (name) {
  return name === 37446 || name === this.RENDERER ? "A graphics processor" : ask.call(this, name);
};
window.textures = new Map();
const make = real.createTexture, drop = real.deleteTexture;
const of = (gl) => window.textures.get(gl.canvas.className) ?? new Set();
real.createTexture = function () {
  const made = make.call(this);
  window.textures.set(this.canvas.className, of(this).add(made));
  return made;
};
real.deleteTexture = function (texture) {
  of(this).delete(texture);
  drop.call(this, texture);
};
"""
SLOW = (
    A_PROCESSOR
    + """
const draw = real.drawArrays;
real.drawArrays = function (...all) {
  const end = performance.now() + 45;
  while (performance.now() < end);
  draw.apply(this, all);
};
"""
)
# The page's streams, a tab that can be away, and a count of everything that was set in motion.
OBSERVED = """
window.sources = [];
window.EventSource = class extends EventSource {
  constructor(...all) {
    super(...all);
    window.sources.push(this);
  }
};
window.away = false;
Object.defineProperty(Document.prototype, "hidden", { get: () => window.away });
window.moved = 0;
const animate = Element.prototype.animate;
Element.prototype.animate = function (...all) {
  window.moved++;
  return animate.apply(this, all);
};
"""
LAYER = "document.documentElement.dataset.layer ?? null"
STAGE_TEXTURES = "window.textures.get('veil-stage')?.size ?? 0"


def turn(page: Page, *, away: bool) -> None:
    """Hide the tab, or come back to it."""
    page.evaluate("away => { window.away = away }", away)
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")


def due(run: Run) -> None:
    """Let the next pass be due now, whatever the pace."""
    apart(lambda: Run.objects.filter(pk=run.pk).update(next_due_at=timezone.now()))


def settled(page: Page) -> None:
    """Wait for the first coast; the page's scripts have run by then."""
    expect(page.locator("html.script")).to_be_attached()
    expect(page.locator("#drawn")).to_have_count(0)


def test_all_javascript_is_small() -> None:
    own = sorted((ROOT / "static").rglob("*.js"))
    htmx = finders.find("django_htmx/htmx-2.min.js")
    assert own
    assert isinstance(htmx, str), "django-htmx serves htmx under another name"
    total = sum(len(gzip.compress(path.read_bytes())) for path in own)
    total += len(gzip.compress(Path(htmx).read_bytes()))
    assert total < JAVASCRIPT


class TestLayer:
    pytestmark = browser

    def test_software_never_gets_it(self) -> None:
        with watching(make_run(2, pace=600), args=SOFTWARE) as (page, complaints):
            settled(page)
            assert page.evaluate("!!document.createElement('canvas').getContext('webgl2')")
            expect(page.locator("html:not([data-layer])")).to_be_attached()
            expect(page.locator(".veil, .veil-stage")).to_have_count(0)
            assert complaints == []

    def test_nor_does_who_asked_for_stillness(self) -> None:
        run = make_run(2, pace=600)
        with watching(run, args=SOFTWARE, before=A_PROCESSOR, reduced_motion="reduce") as (page, _):
            settled(page)
            a_pass(run)
            expect(page.locator(".stage-print img")).to_have_count(1)
            assert page.evaluate(LAYER) is None

    def test_it_draws_the_stage_and_forgets_what_is_destroyed(self) -> None:
        run = make_run(2, pace=600)
        with watching(run, args=SOFTWARE, before=A_PROCESSOR) as (page, complaints):
            expect(page.locator("html[data-layer=gl]")).to_be_attached()
            settled(page)
            a_pass(run)
            expect(page.locator(".stage-box > .veil-stage")).to_be_visible()
            expect(page.locator(".stage-box > img")).to_have_count(1)
            assert page.evaluate(STAGE_TEXTURES) > 0
            to_the_end(run)
            expect(page.locator("#state")).to_contain_text("Finished")
            until(lambda: page.evaluate(STAGE_TEXTURES) == 0, "the last texture's end")
            expect(page.locator(".veil-stage")).to_have_count(0)
            assert complaints == []

    def test_slow_frames_end_it_and_the_page_is_right(self) -> None:
        run = make_run(6, pace=600)
        with watching(run, args=SOFTWARE, before=SLOW) as (page, complaints):
            expect(page.locator("html[data-layer=gl]")).to_be_attached()
            settled(page)

            # However few frames a dissolve shows here, passes go on until enough of them were slow.
            def fallen() -> bool:
                if page.evaluate(LAYER) != "fallen":
                    due(run)
                    a_pass(run)
                    page.wait_for_timeout(900)  # what a dissolve takes
                return bool(page.evaluate(LAYER) == "fallen")

            until(fallen, "the end of the layer")
            expect(page.locator(".veil, .veil-stage")).to_have_count(0)
            due(run)
            a_pass(run)
            expect(page.locator(".stage-box > img").last).to_be_visible()
            expect(page.locator(".stage-box > img")).to_have_count(1)
            to_the_end(run)
            expect(page.locator("#state")).to_contain_text("Finished")
            assert complaints == []

    def test_a_lost_context_ends_it(self) -> None:
        run = make_run(2, pace=600)
        with watching(run, args=SOFTWARE, before=A_PROCESSOR) as (page, complaints):
            expect(page.locator("html[data-layer=gl]")).to_be_attached()
            a_pass(run)
            expect(page.locator(".stage-box > .veil-stage")).to_be_visible()
            page.evaluate(
                "document.querySelector('.veil-stage').getContext('webgl2')"
                ".getExtension('WEBGL_lose_context').loseContext()"
            )
            expect(page.locator("html[data-layer=fallen]")).to_be_attached()
            expect(page.locator(".veil, .veil-stage")).to_have_count(0)
            expect(page.locator(".stage-box > img")).to_be_visible()
            assert complaints == []


class TestCatchingUp:
    pytestmark = browser

    def test_what_happened_while_nobody_looked_is_there_at_once(self) -> None:
        run = make_run(4, pace=600)
        with watching(run, before=OBSERVED) as (page, complaints):
            settled(page)
            a_pass(run)
            expect(page.locator(".stage-box > img")).to_have_count(1)
            turn(page, away=True)
            moved = page.evaluate("window.moved")
            to_the_end(run)
            expect(page.locator("#counts [data-count=destroyed]")).to_have_text("4")
            expect(page.locator("#session")).to_have_attribute("data-state", "finished")
            turn(page, away=False)
            assert page.evaluate("document.querySelectorAll('.print.is-destroyed').length") == 4
            assert page.evaluate("document.querySelectorAll('#stage img, .print img').length") == 0
            assert page.evaluate("window.moved") == moved
            expect(page.locator("#nothing")).to_contain_text("Nothing left.")
            assert complaints == []

    def test_nor_is_a_backlog_played_back_after_the_connection_was_lost(self) -> None:
        run = make_run(4, pace=600)
        with watching(run, before=OBSERVED) as (page, complaints):
            settled(page)
            moved = page.evaluate("window.moved")
            page.route("**/live/**", lambda route: route.abort())
            page.evaluate("window.sources.at(-1).onerror()")
            to_the_end(run)
            page.unroute("**/live/**")
            turn(page, away=False)  # comes back at once, and not when its patience ends
            expect(page.locator("#nothing")).to_contain_text("Nothing left.")
            expect(page.locator(".print.is-destroyed")).to_have_count(4)
            assert page.evaluate("window.sources.length") > 1
            assert page.evaluate("window.moved") == moved
            assert [said for said in complaints if "ERR_FAILED" not in said] == []


def weight(page: Page, devtools: CDPSession) -> tuple[int, int]:
    """Bytes of the scripts' heap after forced collections, and of nodes all that the browser keeps.

    Those that stand in no page any more count too: who only looked at the page would not see them pile up.
    """
    page.wait_for_timeout(1500)
    nodes = [-2, -1]
    while nodes[-1] != nodes[-2]:  # collected things are counted until they are swept
        devtools.send("HeapProfiler.collectGarbage")
        page.wait_for_timeout(300)
        nodes.append(int(devtools.send("Memory.getDOMCounters")["nodes"]))
    return int(devtools.send("Runtime.getHeapUsage")["usedSize"]), nodes[-1]


# Passes over all memories in turn, as fast as the page takes them: each with its frame on the stage.
RUSH = """async (count) => {
  const present = JSON.parse(document.getElementById("present").textContent);
  const open = present.memories.filter((memory) => memory.picture);
  const source = window.sources.at(-1);
  window.told ??= present.seq;
  for (let i = 0; i < count; i++) {
    const memory = open[Math.floor(i / 14) % open.length], step = i % 14;
    const kind = step === 0 ? "memory-started" : "pass";
    const data = {
      seq: ++window.told, kind, n: memory.n, at: new Date().toISOString(), text: `${kind} ${memory.n} ${i}`,
      counts: present.counts, remaining_s: 600, level: Math.max(1, step - 1), levels: 13, bits: 1000 - step,
      picture: memory.picture,
    };
    source.dispatchEvent(new MessageEvent(kind, { data: JSON.stringify(data) }));
    if (i % 10 === 9) await new Promise((done) => requestAnimationFrame(done));
  }
}"""


@pytest.mark.django_db(transaction=True)
@pytest.mark.browser
def test_two_thousand_events_leave_nothing_behind() -> None:
    run = make_run(8, pace=600)
    with watching(run, before=OBSERVED) as (page, complaints):
        settled(page)
        devtools = page.context.new_cdp_session(page)
        page.evaluate(RUSH, 600)  # every memory once: code is compiled, the log is as long as it gets
        heap, nodes = weight(page, devtools)
        page.evaluate(RUSH, EVENTS)
        assert page.locator("#log li").count() <= 60
        grown, more = weight(page, devtools)
        assert (grown <= GROWTH * heap, more <= GROWTH * nodes) == (True, True), (heap, grown, nodes, more)
        assert complaints == []
