"""`make bench`, the session view: 200 memories of which one fades, in headless Chromium drawing in software.

A house of its own is started, with its worker; everything shares one machine with whatever else runs there,
so the load is printed beside the figures. What is compared is measured in turns in one run: the page while a
memory fades, the same page while it is paused, and a still page with the same pixels.

That still page is the live one's own document at one moment, with its sheets and its coast, in a browser
of its own: no script, no stream, nothing fetched. It has to present what a fade presents, or it would draw
nothing at all between two frames: in the place of the memory at work lie two pictures of the map, and one
animation of opacity fades the upper one in, as long and as often as a pass does. What the live page costs
more than this is what it costs to be live: events, words, decoding of frames, layers made and dropped.
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
SECONDS = 7  # of each measurement; less than a fade takes from its second pass on
PACE = 12.0  # seconds a memory: a pass, and its crossfade, about each second
PASS_COUNT = 13  # passes of a memory (erasure/runs/passes.py)
FADE_SHARE = 0.8  # of a pass: how long its crossfade takes (static/session/stage.js)
ON_TIME = 16.9  # milliseconds between frames at 60 in a second, and what a clock may err

# Between frames, and tasks over 50 ms, for some seconds.
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
# The page as it stands, without what runs in it; and its coast, which lies on a canvas.
STANDING = """() => {
  const shown = [...document.querySelectorAll(".shore")].find((canvas) => !canvas.hidden);
  const copy = document.createElement("canvas"), page = document.documentElement.cloneNode(true);
  Object.assign(copy, { width: shown.width, height: shown.height });
  copy.getContext("2d").drawImage(shown, 0, 0);
  for (const node of page.querySelectorAll("script, noscript, [rel=modulepreload], #drawn")) node.remove();
  return [`<!doctype html>${page.outerHTML}`, copy.toDataURL().split(",")[1]];
}"""
FADING = """async ([coast, pass, share]) => {
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
TURN = "(moving) => document.getAnimations().forEach((one) => (moving ? one.play() : one.pause()))"
# The layer above, on a machine whose renderer says it is none: script per draw.
PROCESSOR = """
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
# From a click on Pause to the page saying so.
ANSWER = """() => new Promise((done) => {
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
PAINT = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? null"
PICTURE = """Math.min(...performance.getEntriesByType('resource')
  .filter((one) => one.name.includes('/pictures/')).map((one) => one.responseEnd))"""
RUSH = """async ([count, from]) => {
  const present = JSON.parse(document.getElementById("present").textContent);
  const open = present.memories.filter((memory) => memory.picture && memory.n);
  const source = window.sources.at(-1);
  for (let i = 0; i < count; i++) {
    const memory = open[Math.floor(i / 14) % open.length], step = i % 14;
    const kind = step === 0 ? "memory-started" : "pass";
    const data = {
      seq: from + i, kind, n: memory.n, at: new Date().toISOString(), text: `${kind} ${memory.n} ${i}`,
      counts: present.counts, remaining_s: 600, level: Math.max(1, step - 1), levels: 13, bits: 1000 - step,
      picture: memory.picture,
    };
    source.dispatchEvent(new MessageEvent(kind, { data: JSON.stringify(data) }));
    if (i % 10 === 9) await new Promise((done) => requestAnimationFrame(done));
  }
}"""
STREAMS = """
window.sources = [];
window.EventSource = class extends EventSource {
  constructor(...all) {
    super(...all);
    window.sources.push(this);
  }
};
"""


def say(figure: str, what: str) -> None:
    print(f"{figure:>12}  {what}", flush=True)  # noqa: T201 - this is a program that prints


def processor_seconds(browser: Browser) -> float:
    """Seconds of processor time that the threads of this Chromium have used, its children's included."""
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
class Seen:
    """Some seconds of a page."""

    on_time: float  # share of its frames
    long: int  # tasks over 50 ms
    cost: float  # processor milliseconds of a frame


def frames(page: Page, browser: Browser) -> Seen:
    before = processor_seconds(browser)
    found = page.evaluate(FRAMES, SECONDS)
    used = processor_seconds(browser) - before
    gaps: list[float] = found["gaps"]
    on_time = sum(gap <= ON_TIME for gap in gaps) / max(1, len(gaps))
    return Seen(on_time, len(found["long"]), 1000 * used / max(1, len(gaps)))


def set_state(page: Page, control: str, state: str) -> None:
    page.locator(f"[data-control={control}] button").click()
    page.locator(f"#session[data-state={state}]").wait_for()


def begins_to_fade(page: Page) -> None:
    """Wait for the second pass of a memory: the seconds that follow are of its fade, and of nothing else."""
    second = page.locator(".passes .is-done").nth(1)
    second.wait_for(state="detached", timeout=90_000)
    second.wait_for(state="attached", timeout=90_000)
    page.locator(".stage-box img").first.wait_for()


@contextmanager
def standing(playwright: Playwright, page: Page, options: dict[str, Any]) -> Iterator[tuple[Page, Browser]]:
    """The still page with the pixels that `page` has now, in a browser of its own. Its fade stands still."""
    html, coast = page.evaluate(STANDING)
    browser = launched(playwright)
    context = browser.new_context(**options)
    context.route("**/sessions/*/", lambda route: route.fulfill(body=html, content_type="text/html"))
    still = context.new_page()
    still.goto(page.url)
    pass_ms = 1000 * PACE / PASS_COUNT
    still.evaluate(FADING, [f"data:image/png;base64,{coast}", pass_ms, FADE_SHARE])
    yield still, browser
    browser.close()


def steadiness(playwright: Playwright, page: Page, browser: Browser, options: dict[str, Any]) -> None:
    """The page of plain CSS while one fades, against the same pixels standing still, and against nothing."""
    fading, still, paused, whole = [], [], [], []
    begins_to_fade(page)
    with standing(playwright, page, options) as (reference, other):
        for _ in range(ROUNDS):
            begins_to_fade(page)
            fading.append(frames(page, browser))
            whole.append(frames(page, browser))  # this one goes, and the next one comes
            set_state(page, "pause", "paused")
            page.wait_for_timeout(2500)
            reference.evaluate(TURN, True)
            still.append(frames(reference, other))
            reference.evaluate(TURN, False)
            paused.append(frames(page, browser))
            set_state(page, "resume", "running")
    middle = statistics.median
    say(
        f"{100 * middle(one.on_time for one in fading):.1f} %",
        "frames in time (16.9 ms) while one fades (95 %)",
    )
    say(f"{100 * middle(one.on_time for one in whole):.1f} %", "the same while one goes and the next comes")
    say(
        f"{100 * middle(one.on_time for one in paused):.1f} %",
        "the same while it is paused: what the machine gives",
    )
    say(f"{middle(one.long for one in fading):.0f}", f"tasks over 50 ms in {SECONDS} s while one fades (0)")
    say(f"{middle(one.long for one in paused):.0f}", "the same while the page is paused")
    for what, seen in [("fading", fading), ("one going and the next coming", whole), ("paused", paused)]:
        ratio = middle(one.cost / two.cost for one, two in zip(seen, still, strict=True))
        goal = " (1.2)" if seen is fading else ""
        say(f"{ratio:.2f}", f"processor time of a frame, {what}, against still with the same pixels{goal}")
    say(f"{middle(one.cost for one in still):.2f} ms", "processor time of a frame of that still page")


def layer(browser: Browser, options: dict[str, Any], address: str) -> None:
    """Script of one draw of the WebGL layer: from its first uniform until the call to draw returns."""
    from tests.house import until

    context = browser.new_context(**options)
    context.add_init_script(PROCESSOR)
    page = context.new_page()
    page.goto(address)
    try:
        until(lambda: page.evaluate("window.costs.length") >= 60, "sixty draws")
        costs = page.evaluate("window.costs")
        say(
            f"{statistics.median(costs):.2f} ms",
            f"script of a draw of the WebGL layer, of {len(costs)} (1 ms)",
        )
    except AssertionError:
        drawn = page.evaluate("[window.costs.length, document.documentElement.dataset.layer ?? 'off']")
        say("-", f"script of a draw of the WebGL layer: not measured (draws, state: {drawn})")
    context.close()


def javascript() -> None:
    """Everything a browser could ever load of ours, and htmx."""
    from django.contrib.staticfiles import finders

    from tests.house import ROOT

    paths = [*(ROOT / "static").rglob("*.js"), Path(str(finders.find("django_htmx/htmx-2.min.js")))]
    total = sum(len(gzip.compress(path.read_bytes())) for path in paths)
    say(f"{total / 1000:.1f} kB", "all JavaScript, compressed (60 kB)")


def first_map(browser: Browser, options: dict[str, Any], address: str) -> None:
    """From the request to the first paint, and until a picture has come; before each the house is at rest."""
    from erasure.demo import story

    shown = sum(not memory.childhood for memory in story.MEMORIES)
    paints, pictures = [], []
    for _ in range(max(5, ROUNDS)):
        context = browser.new_context(**options)
        page = context.new_page()
        page.goto(address, wait_until="load")
        page.wait_for_timeout(1000)
        paints.append(page.evaluate(PAINT) / 1000)
        pictures.append(page.evaluate(PICTURE) / 1000)
        context.close()
    say(
        f"{statistics.median(paints):.2f} s",
        f"first map painted, nothing cached (1 s, with the demo's {shown})",
    )
    say(f"{statistics.median(pictures):.2f} s", "the first picture for it has come")
    say(f"{paints[0]:.2f} s", "first map of the first page of all that this house gives out")


def weight(page: Page, devtools: CDPSession) -> tuple[int, int]:
    page.wait_for_timeout(1500)
    nodes = [-2, -1]
    while nodes[-1] != nodes[-2]:  # collected things are counted until they are swept, which takes its time
        devtools.send("HeapProfiler.collectGarbage")
        page.wait_for_timeout(300)
        nodes.append(int(devtools.send("Memory.getDOMCounters")["nodes"]))
    return int(devtools.send("Runtime.getHeapUsage")["usedSize"]), nodes[-1]


def growth(page: Page) -> None:
    """Heap after collection and nodes after 2,000 events, against before; the page is paused meanwhile."""
    devtools = page.context.new_cdp_session(page)
    seq = 1_000_000
    page.evaluate(RUSH, [600, seq])
    heap, nodes = weight(page, devtools)
    page.evaluate(RUSH, [2000, seq + 600])
    grown, more = weight(page, devtools)
    say(f"{grown / heap:.2f}", f"heap after 2,000 events, against {heap / 1e6:.1f} MB before (1.1)")
    say(f"{more / nodes:.2f}", f"nodes of the page, against {nodes} before (1.1)")


@contextmanager
def house() -> Iterator[tuple[str, dict[str, Any]]]:
    """A house with a night of MEMORIES under way; yield the session's address and the doctor's cookie."""
    with tempfile.TemporaryDirectory() as name:
        os.environ.update(
            {"DJANGO_SETTINGS_MODULE": "clinic.settings", "LACUNA_DATA_DIR": name, "LACUNA_DEBUG": "0"}
        )
        os.environ.update({"LACUNA_HOSTS": "testserver,127.0.0.1", "LACUNA_COOLING_OFF_HOURS": "0"})
        import django
        from django.conf import settings
        from django.core.management import call_command

        django.setup()
        call_command("migrate", verbosity=0)
        from clinic.calendar.models import Resource
        from tests.browser.browsing import serving_house, session_of
        from tests.factories import jpeg, make_case, make_keepsake, make_memory, make_procedure

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
        with serving_house() as (address, _process):
            yield f"{address}/sessions/{run.pk}/", cookie


def launched(playwright: Playwright) -> Browser:
    from tests.browser.browsing import CHROMIUM, QUIET

    return playwright.chromium.launch(executable_path=CHROMIUM, args=[*QUIET, "--enable-unsafe-swiftshader"])


def main() -> None:
    with house() as (session, cookie), sync_playwright() as playwright:
        from tests.browser.browsing import DESK

        browser = launched(playwright)
        options: dict[str, Any] = {
            "viewport": DESK,
            "locale": "en-US",
            "storage_state": {"cookies": [cookie], "origins": []},
        }
        say(
            f"{os.getloadavg()[0]:.1f}",
            f"load of the machine, {os.cpu_count()} processors, {MEMORIES} memories",
        )
        javascript()
        first_map(browser, options, session)
        context = browser.new_context(**options)
        context.add_init_script(STREAMS)
        page = context.new_page()
        page.goto(session)
        page.locator("[data-state=running]").wait_for()
        page.locator(".stage-box img").first.wait_for(timeout=90_000)
        page.wait_for_timeout(3000)
        steadiness(playwright, page, browser, options)
        answers = []
        for _ in range(ROUNDS):
            answers.append(page.evaluate(ANSWER))
            page.locator("[data-state=paused]").wait_for()
            set_state(page, "resume", "running")
        say(f"{statistics.median(answers):.0f} ms", "from a click on Pause to the page's answer (200 ms)")
        layer(browser, options, session)
        set_state(page, "pause", "paused")
        growth(page)
        say(f"{os.getloadavg()[0]:.1f}", "load of the machine at the end")
        browser.close()


if __name__ == "__main__":
    sys.exit(main())
