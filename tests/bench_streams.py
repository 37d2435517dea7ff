"""`python -m tests.bench_streams`: eight windows of a browser on eight runs, their stream shared or not.

The application is served in this process, to a headless Chromium on the same machine. "own": the browser has
no locks, so that each window has a stream of its own, as every window had before streams were shared. Both
are measured in turns, so that other load of the machine affects both. BENCH_ROUNDS: how many turns.
"""

import os
import statistics
import sys
import tempfile
import time
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Page, TimeoutError, sync_playwright

ROUNDS = int(os.environ.get("BENCH_ROUNDS", "3"))
WINDOWS = 8
# Windows whose events are timed: as many as can have a stream each, with one connection to spare.
TIMED_WINDOWS = 5
EVENTS = 40  # of each window and turn
GIVE_UP = 20.0  # seconds for a page to be drawn
NO_LOCKS = "Object.defineProperty(Navigator.prototype, 'locks', { value: undefined });"
# Records when each line of the log came into the page, in milliseconds since 1970.
RECORD_ARRIVALS = """
window.seen = {};
document.addEventListener("DOMContentLoaded", () => {
  const log = document.getElementById("log");
  if (log) new MutationObserver(() => {
    const now = performance.timeOrigin + performance.now();
    for (const row of log.children) window.seen[row.dataset.seq] ??= now;
  }).observe(log, { childList: true });
});
"""


def print_figure(figure: str, what: str) -> None:
    print(f"{figure:>24}  {what}", flush=True)  # noqa: T201 - this is a program that prints


def percentiles(values: list[float]) -> str:
    cuts = statistics.quantiles(values, n=100)
    return f"{cuts[49]:.0f} / {cuts[94]:.0f} / {max(values):.0f} ms"


def open_page(page: Page, address: str) -> float:
    """Open a page; return the seconds until its first paint, or infinity."""
    try:
        page.goto(address, timeout=1000 * GIVE_UP)
        page.locator("html.script").wait_for(state="attached", timeout=1000 * GIVE_UP)
    except TimeoutError:
        return float("inf")
    first = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? performance.now()"
    return float(page.evaluate(first)) / 1000


def new_context(browser: Browser, cookie: Any, *, shared: bool) -> BrowserContext:
    context = browser.new_context(viewport={"width": 1440, "height": 900}, locale="en-US")
    context.add_cookies([cookie])
    context.add_init_script(RECORD_ARRIVALS)
    if not shared:
        context.add_init_script(NO_LOCKS)
    return context


def open_windows(context: BrowserContext, addresses: list[str]) -> list[float]:
    """Open one window after another; return the seconds until each was drawn."""
    return [open_page(context.new_page(), address) for address in addresses]


def latencies(context: BrowserContext, addresses: list[str], runs: list[Any]) -> list[float]:
    """Milliseconds from the commit of an event until its line is in the log, in windows of several runs."""
    from tests.erasure.live.test_app import emit_started as emit

    pages = [context.new_page() for _address in addresses]
    for page, address in zip(pages, addresses, strict=True):
        open_page(page, address)
    pages[0].wait_for_timeout(1500)
    committed: list[dict[int, float]] = [{} for _run in runs]
    for _event in range(EVENTS):
        for known, run in zip(committed, runs, strict=True):
            seq = emit(run.pk, 1)
            known[seq] = 1000 * time.time()
        pages[0].wait_for_timeout(100)
    found = []
    for page, known in zip(pages, committed, strict=True):
        page.locator(f'#log li[data-seq="{max(known)}"]').wait_for(state="attached", timeout=60_000)
        seen = page.evaluate("window.seen")
        missing = [seq for seq in known if str(seq) not in seen]
        assert not missing, f"lost: {missing} of {min(known)} to {max(known)}"
        found += [seen[str(seq)] - at for seq, at in known.items()]
    return found


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        os.environ |= {
            "DJANGO_SETTINGS_MODULE": "clinic.settings",
            "LACUNA_DATA_DIR": name,
            "LACUNA_DEBUG": "0",
        }
        os.environ |= {"LACUNA_HOSTS": "testserver,127.0.0.1"}
        os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"  # Playwright's event loop is in this thread
        import django
        from django.conf import settings
        from django.core.management import call_command

        django.setup()
        call_command("migrate", verbosity=0)
        call_command("collectstatic", verbosity=0, interactive=False)
        from clinic.accounts.models import Role
        from tests.browser.browsing import BROWSER_OPTIONS, CHROMIUM, session_of
        from tests.configuration import configure
        from tests.factories import make_run, make_user
        from tests.serving import serving, whole_application

        configure(cooling_off_hours=0)
        runs = [make_run(1, pace=3600) for _ in range(WINDOWS)]
        value = session_of(make_user(Role.DOCTOR))
        drawing_times: dict[bool, list[list[float]]] = {True: [], False: []}
        latencies_of: dict[bool, list[float]] = {True: [], False: []}
        with serving(whole_application()) as port, sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=BROWSER_OPTIONS)
            address = f"http://127.0.0.1:{port}"
            cookie = {"name": settings.SESSION_COOKIE_NAME, "value": value, "url": address}
            addresses = [f"{address}/sessions/{run.pk}/" for run in runs]
            print_figure(f"{os.getloadavg()[0]:.1f}", f"load of the machine, {os.cpu_count()} processors")
            for number in range(2 * ROUNDS):
                shared = number % 2 == 0
                context = new_context(browser, cookie, shared=shared)
                drawing_times[shared].append(open_windows(context, addresses))
                context.close()
                context = new_context(browser, cookie, shared=shared)
                latencies_of[shared] += latencies(context, addresses[:TIMED_WINDOWS], runs[:TIMED_WINDOWS])
                context.close()
            browser.close()
    for shared, name in [(False, "own"), (True, "shared")]:
        for window in (0, 5, 6, 7):
            seconds = statistics.median(turn[window] for turn in drawing_times[shared])
            text = f"{seconds:.2f} s" if seconds < GIVE_UP else f"not in {GIVE_UP:.0f} s"
            print_figure(text, f"{name}: until window {window + 1} is drawn")
        what = f"from commit to the page, {TIMED_WINDOWS} windows of as many runs (50 %, 95 %, longest)"
        print_figure(percentiles(latencies_of[shared]), f"{name}: {what}")
    ratio = statistics.median(latencies_of[True]) / statistics.median(latencies_of[False])
    print_figure(f"{ratio:.2f}", "median latency, shared : own")


if __name__ == "__main__":
    sys.exit(main())
