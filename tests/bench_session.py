"""`make bench`, the session page: 200 memories of which one fades, in headless Chromium without a GPU.

The program starts a server and a worker of its own. They share the machine with whatever else runs there, so
the load is printed beside the figures. Three pages are measured in turn: the page while a memory fades, the
same page while the run is paused, and a static page with the same pixels.

The static page is a copy of the live page's document at one moment, with its style sheets and the canvas with
the coast, in another browser: no script, no stream, nothing fetched. It must also animate something, or it
would draw nothing between two frames. So two pictures lie in the place of the memory that fades, and an
animation of opacity fades the upper one in, as long and as often as a pass does. The difference to the live
page is the cost of being live: events, text updates, decoding of frames, layers created and dropped.
"""

import gzip
import os
import statistics
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, CDPSession, Page, Playwright, sync_playwright

MEMORIES = int(os.environ.get("BENCH_MEMORIES", "200"))
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "3"))
SECONDS = 7  # length of each measurement; less than a fade takes from its second pass on
PACE = 12.0  # seconds per memory: about one pass with its crossfade each second
PASS_COUNT = 13  # passes of a memory (erasure/runs/passes.py)
FADE_SHARE = 0.8  # length of the crossfade, as a share of a pass (static/session/stage.js)
ON_TIME = 16.9  # milliseconds between frames at 60 per second, with a tolerance for the clock

# Measures for some seconds: the times between frames, and tasks over 50 ms.
FRAMES = """async (seconds) => {
  const gaps = [], long = [];
  const watch = new PerformanceObserver((list) => long.push(...list.getEntries()));
  watch.observe({ entryTypes: ["longtask"] });
  const end = performance.now() + seconds * 1000;
  let last = null;
  await new Promise((done) => requestAnimationFrame(function frame(now) {
    if (last !== null) gaps.push(now - last);
    last = now;
    if (now < end) requestAnimationFrame(frame);
    else done();
  }));
  watch.disconnect();
  return { gaps, long };
}"""
# Returns the page's HTML without its scripts, and the pixels of its coast, which is drawn on a canvas.
COPY_PAGE = """() => {
  const shown = [...document.querySelectorAll(".shore")].find((canvas) => !canvas.hidden);
  const copy = document.createElement("canvas"), page = document.documentElement.cloneNode(true);
  Object.assign(copy, { width: shown.width, height: shown.height });
  copy.getContext("2d").drawImage(shown, 0, 0);
  for (const node of page.querySelectorAll("script, noscript, [rel=modulepreload], #drawn")) node.remove();
  return [`<!doctype html>${page.outerHTML}`, copy.toDataURL().split(",")[1]];
}"""
# Draws the coast, and prepares an endless crossfade of two pictures, paused. pass: milliseconds.
START_CROSSFADE = """async ([coast, pass, share]) => {
  const canvas = [...document.querySelectorAll(".shore")].find((one) => !one.hidden), picture = new Image();
  picture.src = coast;
  await picture.decode();
  Object.assign(canvas, { width: picture.naturalWidth, height: picture.naturalHeight });
  canvas.getContext("2d").drawImage(picture, 0, 0);
  const pictures = [...document.querySelectorAll("#prints img")].slice(0, 2).map(({ src }) => {
    const image = new Image();
    image.src = src;
    return image;
  });
  await Promise.all(pictures.map((image) => image.decode()));
  document.querySelector(".stage-box").replaceChildren(...pictures);
  pictures[1].animate(
    [{ opacity: 0 }, { opacity: 1, offset: share }, { opacity: 1 }], { duration: pass, iterations: Infinity },
  ).pause();
}"""
PLAY_OR_PAUSE = "(moving) => document.getAnimations().forEach((one) => (moving ? one.play() : one.pause()))"
# Pretends that a graphics processor is there, so that the WebGL layer is used; measures its script per draw.
FAKE_GPU = """
const real = WebGL2RenderingContext.prototype, ask = real.getParameter, draw = real.drawArrays;
real.getParameter = function (name) {
  return name === 37446 || name === this.RENDERER ? "A graphics processor" : ask.call(this, name);
};
window.began = 0;
window.costs = [];
const set = real.uniform1f;
real.uniform1f = function (...all) {
  window.began ||= performance.now();
  return set.apply(this, all);
};
real.drawArrays = function (...all) {
  draw.apply(this, all);
  window.costs.push(performance.now() - (window.began || performance.now()));
  window.began = 0;
};
"""
# Measures the time from a click on Pause until the page shows it.
PAUSE_RESPONSE = """() => new Promise((done) => {
  const root = document.getElementById("session");
  const button = document.querySelector("[data-control=pause] button");
  const from = performance.now();
  const seen = new MutationObserver(() => {
    if (root.dataset.state === "paused" || button.disabled || button.hasAttribute("aria-busy")) {
      seen.disconnect();
      requestAnimationFrame(() => done(performance.now() - from));
    }
  });
  seen.observe(document.body, { attributes: true, subtree: true });
  button.click();
})"""
FIRST_PAINT = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? null"
LAST_PICTURE = """Math.min(...performance.getEntriesByType('resource')
  .filter((one) => one.name.includes('/pictures/')).map((one) => one.responseEnd))"""
# Dispatches `count` invented events with the numbers `from` on, ten for each frame.
DISPATCH_EVENTS = """async ([count, from]) => {
  const present = JSON.parse(document.getElementById("present").textContent);
  const open = present.memories.filter((memory) => memory.picture && memory.n);
  const source = window.sources.at(-1);
  for (let i = 0; i < count; i++) {
    const memory = open[Math.floor(i / 14) % open.length], step = i % 14;
    const kind = step === 0 ? "memory-started" : "pass";
    const data = {
      run: present.run,
      seq: from + i, kind, n: memory.n, at: new Date().toISOString(), text: `${kind} ${memory.n} ${i}`,
      counts: present.counts, remaining_s: 600, level: Math.max(1, step - 1), levels: 13, bits: 1000 - step,
      picture: memory.picture,
    };
    source.dispatchEvent(new MessageEvent("message", { data: JSON.stringify(data) }));
    if (i % 10 === 9) await new Promise((done) => requestAnimationFrame(done));
  }
}"""
# Keeps each EventSource of the page in window.sources.
KEEP_SOURCES = """
window.sources = [];
window.EventSource = class extends EventSource {
  constructor(...all) {
    super(...all);
    window.sources.push(this);
  }
};
"""


def print_figure(figure: str, what: str) -> None:
    print(f"{figure:>12}  {what}", flush=True)  # noqa: T201 - this is a program that prints


def processor_seconds(browser: Browser) -> float:
    """Seconds of processor time that this Chromium has used, with all its child processes."""
    session = browser.new_browser_cdp_session()
    ids = [one["id"] for one in session.send("SystemInfo.getProcessInfo")["processInfo"]]
    session.detach()
    total = 0
    for schedule in (one for pid in ids for one in Path(f"/proc/{pid}/task").glob("*/schedstat")):
        with suppress(FileNotFoundError, ProcessLookupError):  # a thread that has ended meanwhile
            total += int(
                schedule.read_text().split()[0]
            )  # nanoseconds; /proc/<pid>/stat counts in tens of ms
    return total / 1e9


@dataclass(frozen=True)
class Measurement:
    """Figures measured on a page during SECONDS."""

    on_time: float  # share of frames that came on time
    long: int  # number of tasks over 50 ms
    cost: float  # processor time per frame in milliseconds


def measure_frames(page: Page, browser: Browser) -> Measurement:
    before = processor_seconds(browser)
    found = page.evaluate(FRAMES, SECONDS)
    used = processor_seconds(browser) - before
    gaps: list[float] = found["gaps"]
    on_time = sum(gap <= ON_TIME for gap in gaps) / max(1, len(gaps))
    return Measurement(on_time, len(found["long"]), 1000 * used / max(1, len(gaps)))


def set_state(page: Page, control: str, state: str) -> None:
    page.locator(f"[data-control={control}] button").click()
    page.locator(f"#session[data-state={state}]").wait_for()


def wait_for_second_pass(page: Page) -> None:
    """Wait for the second pass of a memory: during the next SECONDS, only this memory fades."""
    second = page.locator(".passes .is-done").nth(1)
    second.wait_for(state="detached", timeout=90_000)
    second.wait_for(state="attached", timeout=90_000)
    page.locator(".stage-box img").first.wait_for()


@contextmanager
def static_copy(
    playwright: Playwright, page: Page, options: dict[str, Any]
) -> Iterator[tuple[Page, Browser]]:
    """The static page with the pixels that `page` has now, in its own browser, with its animation paused."""
    html, coast = page.evaluate(COPY_PAGE)
    browser = launch(playwright)
    context = browser.new_context(**options)
    context.route("**/sessions/*/", lambda route: route.fulfill(body=html, content_type="text/html"))
    still = context.new_page()
    still.goto(page.url)
    pass_ms = 1000 * PACE / PASS_COUNT
    still.evaluate(START_CROSSFADE, [f"data:image/png;base64,{coast}", pass_ms, FADE_SHARE])
    yield still, browser
    browser.close()


def measure_fading(playwright: Playwright, page: Page, browser: Browser, options: dict[str, Any]) -> None:
    """Measure the page while a memory fades, while it is paused, and the static page beside it."""
    fading, still, paused, change = [], [], [], []
    wait_for_second_pass(page)
    with static_copy(playwright, page, options) as (reference, other):
        for _ in range(ROUNDS):
            wait_for_second_pass(page)
            fading.append(measure_frames(page, browser))
            change.append(measure_frames(page, browser))  # the memory vanishes, and the next one begins
            set_state(page, "pause", "paused")
            page.wait_for_timeout(2500)
            reference.evaluate(PLAY_OR_PAUSE, True)
            still.append(measure_frames(reference, other))
            reference.evaluate(PLAY_OR_PAUSE, False)
            paused.append(measure_frames(page, browser))
            set_state(page, "resume", "running")
    median = statistics.median
    print_figure(
        f"{100 * median(one.on_time for one in fading):.1f} %",
        "frames in time (16.9 ms) while a memory fades (95 %)",
    )
    print_figure(
        f"{100 * median(one.on_time for one in change):.1f} %", "the same while one ends and the next begins"
    )
    print_figure(
        f"{100 * median(one.on_time for one in paused):.1f} %",
        "the same while the run is paused: the machine's limit",
    )
    print_figure(
        f"{median(one.long for one in fading):.0f}", f"tasks over 50 ms in {SECONDS} s of a fade (0)"
    )
    print_figure(f"{median(one.long for one in paused):.0f}", "the same while the page is paused")
    for what, seen in [("fading", fading), ("one ends, next begins", change), ("paused", paused)]:
        ratio = median(one.cost / two.cost for one, two in zip(seen, still, strict=True))
        goal = " (1.2)" if seen is fading else ""
        print_figure(
            f"{ratio:.2f}", f"processor time of a frame, {what}, against still with the same pixels{goal}"
        )
    print_figure(
        f"{median(one.cost for one in still):.2f} ms", "processor time of a frame of that still page"
    )


def measure_layer(browser: Browser, options: dict[str, Any], address: str) -> None:
    """Measure the script of one draw of the WebGL layer, from its first uniform to the draw call's return."""
    from tests.processes import until

    context = browser.new_context(**options)
    context.add_init_script(FAKE_GPU)
    page = context.new_page()
    page.goto(address)
    try:
        until(lambda: page.evaluate("window.costs.length") >= 60, "sixty draws")
        costs = page.evaluate("window.costs")
        print_figure(
            f"{statistics.median(costs):.2f} ms",
            f"script of a draw of the WebGL layer, of {len(costs)} (1 ms)",
        )
    except AssertionError:
        drawn = page.evaluate("[window.costs.length, document.documentElement.dataset.layer ?? 'off']")
        print_figure("-", f"script of a draw of the WebGL layer: not measured (draws, state: {drawn})")
    context.close()


def measure_javascript() -> None:
    """Measure the size of all our JavaScript and htmx."""
    from django.contrib.staticfiles import finders

    from tests.processes import ROOT

    paths = [*(ROOT / "static").rglob("*.js"), Path(str(finders.find("django_htmx/htmx-2.min.js")))]
    total = sum(len(gzip.compress(path.read_bytes())) for path in paths)
    print_figure(f"{total / 1000:.1f} kB", "all JavaScript, compressed (62.5 kB)")


def measure_first_map(browser: Browser, options: dict[str, Any], address: str) -> None:
    """Measure the time from the request to the first paint, and to the first picture."""
    from erasure.demo import story

    shown = sum(not memory.childhood for memory in story.MEMORIES)
    paints, pictures = [], []
    for _ in range(max(5, ROUNDS)):
        context = browser.new_context(**options)
        page = context.new_page()
        page.goto(address, wait_until="load")
        page.wait_for_timeout(1000)
        paints.append(page.evaluate(FIRST_PAINT) / 1000)
        pictures.append(page.evaluate(LAST_PICTURE) / 1000)
        context.close()
    print_figure(
        f"{statistics.median(paints):.2f} s",
        f"first map painted, nothing cached (1 s, with the demonstration's {shown} memories)",
    )
    print_figure(f"{statistics.median(pictures):.2f} s", "the first picture for it has come")
    print_figure(f"{paints[0]:.2f} s", "first map painted by the first request after the server's start")


def memory_use(page: Page, devtools: CDPSession) -> tuple[int, int]:
    """The used heap in bytes and the number of DOM nodes, after garbage collection."""
    page.wait_for_timeout(1500)
    nodes = [-2, -1]
    while nodes[-1] != nodes[-2]:  # collected nodes are counted until they are swept, which takes a while
        devtools.send("HeapProfiler.collectGarbage")
        page.wait_for_timeout(300)
        nodes.append(int(devtools.send("Memory.getDOMCounters")["nodes"]))
    return int(devtools.send("Runtime.getHeapUsage")["usedSize"]), nodes[-1]


def measure_growth(page: Page) -> None:
    """Compare heap and DOM nodes before and after 2,000 events. The run is paused meanwhile."""
    devtools = page.context.new_cdp_session(page)
    seq = 1 + int(page.locator("#log li").first.get_attribute("data-seq") or 0)  # numbers without a gap
    page.evaluate(DISPATCH_EVENTS, [600, seq])
    heap, nodes = memory_use(page, devtools)
    page.evaluate(DISPATCH_EVENTS, [2000, seq + 600])
    grown, more = memory_use(page, devtools)
    print_figure(f"{grown / heap:.2f}", f"heap after 2,000 events, against {heap / 1e6:.1f} MB before (1.1)")
    print_figure(f"{more / nodes:.2f}", f"nodes of the page, against {nodes} before (1.1)")


@contextmanager
def serve_run() -> Iterator[tuple[str, dict[str, Any]]]:
    """Serve an installation in which a run of MEMORIES has started.

    Yields the session page's address and the doctor's cookie.
    """
    with tempfile.TemporaryDirectory() as name:
        os.environ.update(
            {"DJANGO_SETTINGS_MODULE": "clinic.settings", "LACUNA_DATA_DIR": name, "LACUNA_DEBUG": "0"}
        )
        os.environ.update({"LACUNA_HOSTS": "testserver,127.0.0.1"})
        import django
        from django.conf import settings
        from django.core.management import call_command

        django.setup()
        call_command("migrate", verbosity=0)
        from clinic.calendar.models import Resource
        from tests.browser.browsing import serving_installation, session_of
        from tests.configuration import configure
        from tests.factories import jpeg, make_case, make_keepsake, make_memory, make_procedure

        configure(cooling_off_hours=0)
        case = make_case()
        for i in range(MEMORIES):
            day = f"{2000 + i // 100}-{1 + i // 9 % 12:02d}-{1 + i % 28:02d}"
            make_keepsake(
                make_memory(case, f"Memory of day {i}", day, intensity=i * 7 % 11), jpeg((360, 270))
            )
        procedure = make_procedure(case, pace=PACE)
        from erasure.runs.planning import start_run

        run = start_run(procedure.pk, by=None)
        doctor = Resource.objects.get(kind=Resource.Kind.DOCTOR, bookings=procedure.booking).user
        cookie = {
            "name": settings.SESSION_COOKIE_NAME,
            "value": session_of(doctor),
            "domain": "127.0.0.1",
            "path": "/",
            "expires": -1,
            "httpOnly": True,
            "secure": False,
            "sameSite": "Lax",
        }
        with serving_installation() as (address, _process):
            yield f"{address}/sessions/{run.pk}/", cookie


def launch(playwright: Playwright) -> Browser:
    from tests.browser.browsing import BROWSER_OPTIONS, CHROMIUM

    return playwright.chromium.launch(
        executable_path=CHROMIUM, args=[*BROWSER_OPTIONS, "--enable-unsafe-swiftshader"]
    )


def main() -> None:
    with serve_run() as (session, cookie), sync_playwright() as playwright:
        from tests.browser.browsing import DESK

        browser = launch(playwright)
        options: dict[str, Any] = {
            "viewport": DESK,
            "locale": "en-US",
            "storage_state": {"cookies": [cookie], "origins": []},
        }
        print_figure(
            f"{os.getloadavg()[0]:.1f}",
            f"load of the machine, {os.cpu_count()} processors, {MEMORIES} memories",
        )
        measure_javascript()
        measure_first_map(browser, options, session)
        context = browser.new_context(**options)
        context.add_init_script(KEEP_SOURCES)
        page = context.new_page()
        page.goto(session)
        page.locator("[data-state=running]").wait_for()
        page.locator(".stage-box img").first.wait_for(timeout=90_000)
        page.wait_for_timeout(3000)
        measure_fading(playwright, page, browser, options)
        answers = []
        for _ in range(ROUNDS):
            answers.append(page.evaluate(PAUSE_RESPONSE))
            page.locator("[data-state=paused]").wait_for()
            set_state(page, "resume", "running")
        print_figure(
            f"{statistics.median(answers):.0f} ms", "from a click on Pause to the page's answer (200 ms)"
        )
        measure_layer(browser, options, session)
        set_state(page, "pause", "paused")
        measure_growth(page)
        print_figure(f"{os.getloadavg()[0]:.1f}", "load of the machine at the end")
        browser.close()


if __name__ == "__main__":
    sys.exit(main())
