"""What the session page needs: JavaScript size, memory growth, and the WebGL layer, which needs a GPU.

The page has no switch for the layer. A script that Playwright runs before the page's scripts makes the
renderer look like a GPU, or makes it slow. No test here measures time.
"""

import gzip
from pathlib import Path

import pytest
from django.contrib.staticfiles import finders
from django.utils import timezone
from playwright.sync_api import CDPSession, Page, expect

from erasure.runs.models import Run
from tests.erasure.session.test_browser import do_one_pass, finish_run, in_thread, watching
from tests.factories import make_run
from tests.processes import ROOT, until

JAVASCRIPT = 95_000  # bytes of all our JavaScript, compressed; no page loads all of it
GROWTH = 1.1  # how much memory use may grow while EVENTS events are shown, as a factor
EVENTS = 2_000
# Makes Chromium offer WebGL2 with software rendering.
SOFTWARE = ["--enable-unsafe-swiftshader"]
browser = [pytest.mark.django_db(transaction=True), pytest.mark.browser]

# Gives the renderer the name of a GPU, and counts the textures of each context.
PRETEND_GPU = """
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
SLOW_GPU = (
    PRETEND_GPU
    + """
const draw = real.drawArrays;
real.drawArrays = function (...all) {
  const end = performance.now() + 45;
  while (performance.now() < end);
  draw.apply(this, all);
};
"""
)
# Records the page's event streams, lets the test hide the tab, and counts animations.
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


def set_tab_hidden(page: Page, *, away: bool) -> None:
    """Hide the tab, or show it again."""
    page.evaluate("away => { window.away = away }", away)
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")


def make_due(run: Run) -> None:
    """Make the next pass due now."""
    in_thread(lambda: Run.objects.filter(pk=run.pk).update(next_due_at=timezone.now()))


def wait_until_drawn(page: Page) -> None:
    """Wait until the page's scripts have run and the first coast is drawn."""
    expect(page.locator("html.script")).to_be_attached()
    expect(page.locator("#drawn")).to_have_count(0)


CALENDAR = ROOT / "static" / "vendor" / "event-calendar" / "event-calendar.min.js"


def test_all_javascript_is_small() -> None:
    """Without the calendar's library, which loads on the calendar's pages alone (docs/decisions/0022)."""
    own = sorted(set((ROOT / "static").rglob("*.js")) - {CALENDAR})
    assert CALENDAR.exists()
    htmx = finders.find("django_htmx/htmx-2.min.js")
    assert own
    assert isinstance(htmx, str), "django-htmx serves htmx under another name"
    total = sum(len(gzip.compress(path.read_bytes())) for path in own)
    total += len(gzip.compress(Path(htmx).read_bytes()))
    assert total < JAVASCRIPT


class TestLayer:
    pytestmark = browser

    def test_a_software_renderer_gets_no_layer(self) -> None:
        with watching(make_run(2, pace=600), browser_args=SOFTWARE) as (page, complaints):
            wait_until_drawn(page)
            assert page.evaluate("!!document.createElement('canvas').getContext('webgl2')")
            expect(page.locator("html:not([data-layer])")).to_be_attached()
            expect(page.locator(".veil, .veil-stage")).to_have_count(0)
            assert complaints == []

    def test_with_reduced_motion_there_is_no_layer(self) -> None:
        run = make_run(2, pace=600)
        still = {"reduced_motion": "reduce"}
        with watching(run, browser_args=SOFTWARE, init_script=PRETEND_GPU, **still) as (page, _):
            wait_until_drawn(page)
            do_one_pass(run)
            expect(page.locator(".stage-print img")).to_have_count(1)
            assert page.evaluate(LAYER) is None

    def test_the_layer_draws_the_stage_and_frees_textures_of_destroyed_memories(self) -> None:
        run = make_run(2, pace=600)
        with watching(run, browser_args=SOFTWARE, init_script=PRETEND_GPU) as (page, complaints):
            expect(page.locator("html[data-layer=gl]")).to_be_attached()
            wait_until_drawn(page)
            do_one_pass(run)
            expect(page.locator(".stage-box > .veil-stage")).to_be_visible()
            expect(page.locator(".stage-box > img")).to_have_count(1)
            assert page.evaluate(STAGE_TEXTURES) > 0
            finish_run(run)
            expect(page.locator("#state")).to_contain_text("Finished")
            until(lambda: page.evaluate(STAGE_TEXTURES) == 0, "the last texture's end")
            expect(page.locator(".veil-stage")).to_have_count(0)
            assert complaints == []

    def test_slow_frames_end_the_layer_and_the_page_still_works(self) -> None:
        run = make_run(6, pace=600)
        with watching(run, browser_args=SOFTWARE, init_script=SLOW_GPU) as (page, complaints):
            expect(page.locator("html[data-layer=gl]")).to_be_attached()
            wait_until_drawn(page)

            # A crossfade may show few frames here, so passes go on until enough frames were slow.
            def layer_has_ended() -> bool:
                if page.evaluate(LAYER) != "fallen":
                    make_due(run)
                    do_one_pass(run)
                    page.wait_for_timeout(900)  # the length of a crossfade
                return bool(page.evaluate(LAYER) == "fallen")

            until(layer_has_ended, "the end of the layer")
            expect(page.locator(".veil, .veil-stage")).to_have_count(0)
            make_due(run)
            do_one_pass(run)
            expect(page.locator(".stage-box > img").last).to_be_visible()
            expect(page.locator(".stage-box > img")).to_have_count(1)
            finish_run(run)
            expect(page.locator("#state")).to_contain_text("Finished")
            assert complaints == []

    def test_a_lost_context_ends_the_layer(self) -> None:
        run = make_run(2, pace=600)
        with watching(run, browser_args=SOFTWARE, init_script=PRETEND_GPU) as (page, complaints):
            expect(page.locator("html[data-layer=gl]")).to_be_attached()
            do_one_pass(run)
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

    def test_events_while_the_tab_was_hidden_are_shown_at_once(self) -> None:
        run = make_run(4, pace=600)
        with watching(run, init_script=OBSERVED) as (page, complaints):
            wait_until_drawn(page)
            do_one_pass(run)
            expect(page.locator(".stage-box > img")).to_have_count(1)
            set_tab_hidden(page, away=True)
            until(lambda: page.evaluate("window.sources.at(-1).readyState") == 2, "the end of its stream")
            moved = page.evaluate("window.moved")
            finish_run(run)
            expect(page.locator("#counts [data-count=destroyed]")).to_have_text("0")
            set_tab_hidden(page, away=False)
            expect(page.locator("#session")).to_have_attribute("data-state", "finished")
            expect(page.locator("#counts [data-count=destroyed]")).to_have_text("4")
            expect(page.locator(".print.is-destroyed")).to_have_count(4)
            expect(page.locator("#stage img, .print img")).to_have_count(0)
            expect(page.locator("#nothing")).to_contain_text("Nothing left.")
            assert page.evaluate("window.moved") == moved
            assert complaints == []

    def test_events_while_disconnected_are_shown_without_animations(self) -> None:
        run = make_run(4, pace=600)
        with watching(run, init_script=OBSERVED) as (page, complaints):
            wait_until_drawn(page)
            moved = page.evaluate("window.moved")
            page.route("**/live/**", lambda route: route.abort())
            page.evaluate("window.sources.at(-1).onerror()")
            finish_run(run)
            page.unroute("**/live/**")
            set_tab_hidden(page, away=False)  # makes the page reconnect at once
            expect(page.locator("#nothing")).to_contain_text("Nothing left.")
            expect(page.locator(".print.is-destroyed")).to_have_count(4)
            assert page.evaluate("window.sources.length") > 1
            assert page.evaluate("window.moved") == moved
            assert [complaint for complaint in complaints if "ERR_FAILED" not in complaint] == []


def memory_use(page: Page, devtools: CDPSession) -> tuple[int, int]:
    """The used heap in bytes and the number of DOM nodes, after garbage collection.

    Nodes that are no longer in the page count too, if the browser still keeps them.
    """
    page.wait_for_timeout(1500)
    nodes = [-2, -1]
    while nodes[-1] != nodes[-2]:  # collected nodes are counted until they are swept
        devtools.send("HeapProfiler.collectGarbage")
        page.wait_for_timeout(300)
        nodes.append(int(devtools.send("Memory.getDOMCounters")["nodes"]))
    return int(devtools.send("Runtime.getHeapUsage")["usedSize"]), nodes[-1]


# Sends passes of all memories in turn, as fast as the page handles them.
SEND_PASSES = """async (count) => {
  const present = JSON.parse(document.getElementById("present").textContent);
  const open = present.memories.filter((memory) => memory.picture);
  const source = window.sources.at(-1);
  window.told ??= present.seq;
  for (let i = 0; i < count; i++) {
    const memory = open[Math.floor(i / 14) % open.length], step = i % 14;
    const kind = step === 0 ? "memory-started" : "pass";
    const data = {
      run: present.run,
      seq: ++window.told, kind, n: memory.n, at: new Date().toISOString(), text: `${kind} ${memory.n} ${i}`,
      counts: present.counts, remaining_s: 600, level: Math.max(1, step - 1), levels: 13, bits: 1000 - step,
      picture: memory.picture,
    };
    source.dispatchEvent(new MessageEvent("message", { data: JSON.stringify(data) }));
    if (i % 10 === 9) await new Promise((done) => requestAnimationFrame(done));
  }
}"""


@pytest.mark.django_db(transaction=True)
@pytest.mark.browser
def test_two_thousand_events_do_not_increase_memory_use() -> None:
    run = make_run(8, pace=600)
    with watching(run, init_script=OBSERVED) as (page, complaints):
        wait_until_drawn(page)
        devtools = page.context.new_cdp_session(page)
        page.evaluate(SEND_PASSES, 600)  # so that code is compiled and the log has its full length
        heap, nodes = memory_use(page, devtools)
        page.evaluate(SEND_PASSES, EVENTS)
        newest = page.locator("#log li").first
        expect(newest).to_have_attribute("data-seq", str(page.evaluate("window.told")))
        assert page.locator("#log li").count() <= 60
        heap_after, nodes_after = memory_use(page, devtools)
        assert heap_after <= GROWTH * heap, (heap, heap_after)
        assert nodes_after <= GROWTH * nodes, (nodes, nodes_after)
        assert complaints == []
