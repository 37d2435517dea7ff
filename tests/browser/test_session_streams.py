"""Event streams end to end: the windows of a browser share one, and nobody misses anything or sees too much.

Every window of a headless browser is visible; `set_hidden` hides one. A browser opens six connections to a
host, so a seventh window would wait for ever if each had a stream of its own.
"""

import os
import random
import re
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import pytest
from django.contrib.sessions.models import Session
from django.urls import reverse
from playwright.sync_api import Browser, Error, Page, expect

from clinic.access.page_owner import owner_mark
from clinic.accounts.models import Role, User
from erasure.runs import calls, control
from erasure.runs.models import Event, Run
from tests.browser.browsing import OpenSite, Visitor, in_thread, serving_installation, session_of
from tests.browser.watching import STILL, at_session, doctor_of, served
from tests.erasure.live.test_app import emit_started
from tests.factories import make_run, make_user
from tests.processes import until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser]

LEAVES_WITHIN = 5.0  # seconds

# Runs before any script of the page: records its connections, and lets a test hide it.
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
"""
NO_LOCKS = "Object.defineProperty(Navigator.prototype, 'locks', { value: undefined });"
# Events with an odd seq, and the last, are lost the first time that another window passes them on.
DEAF = """
const lost = new Set();
window.BroadcastChannel = class extends BroadcastChannel {
  set onmessage(hear) {
    super.onmessage = (message) => {
      const seq = message.data.type === "event" ? message.data.data.seq : 0;
      if (!(seq % 2 || seq > 11) || lost.has(seq)) hear(message);
      lost.add(seq);
    };
  }
};
"""


def open_window(site: OpenSite, run: Run, beside: Page | None = None, *, name: str = "session") -> Page:
    """A window on a run, in the browser of `beside`, or else in a new one of the run's doctor."""
    if beside is None:
        visitor = site.visitor(doctor_of(run))
        visitor.page.context.add_init_script(OBSERVED)
    else:
        visitor = Visitor(beside.context.new_page(), site.address)
        site.visitors.append(visitor)
    visitor.go(reverse(f"erasure:{name}", args=[run.pk]))
    visitor.page.locator("html.script").wait_for(state="attached")
    return visitor.page


def windows_on(site: OpenSite, runs: list[Run]) -> list[Page]:
    """A window on each run, in one browser."""
    pages: list[Page] = []
    for run in runs:
        pages.append(open_window(site, run, pages[0] if pages else None))
    return pages


def connections_of(*pages: Page) -> int:
    """How many streams the windows hold, or are opening, together."""
    return sum(page.evaluate("window.sources.filter((one) => one.readyState !== 2).length") for page in pages)


def set_hidden(page: Page, *, hidden: bool) -> None:
    """Hide a window, or show it again."""
    page.evaluate("away => { window.away = away }", hidden)
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")


def hide_and_wait(*pages: Page) -> None:
    """Hide windows, and wait until they have given up their streams."""
    for page in pages:
        set_hidden(page, hidden=True)
    until(lambda: connections_of(*pages) == 0, "the end of the hidden windows' streams")


def all_seqs(run: Run) -> list[int]:
    return in_thread(
        lambda: list(Event.objects.filter(run=run).order_by("seq").values_list("seq", flat=True))
    )


def expect_all_events(page: Page, run: Run) -> None:
    """Assert that every event of the run is in the log of its window, once and in order."""
    seqs = all_seqs(run)
    expect(page.locator(f'#log li[data-seq="{seqs[-1]}"]')).to_have_count(1)
    assert seqs_in_log(page) == seqs


def make_runs(count: int) -> list[Run]:
    """Running runs, all of which the doctor of the first may watch."""
    return [make_run(1, pace=STILL) for _ in range(count)]


def test_eight_windows_of_eight_runs_receive_all_events_over_one_connection(chromium: Browser) -> None:
    runs = make_runs(8)
    with served(chromium) as site:
        pages = windows_on(site, runs)
        for run in runs:
            emit_started(run.pk, 1)
        for page, run in zip(pages, runs, strict=True):
            expect_all_events(page, run)
        assert connections_of(*pages) == 1
        for _turn in range(5):
            for run in runs:
                emit_started(run.pk, 1)
        for page, run in zip(pages, runs, strict=True):
            expect_all_events(page, run)
        assert connections_of(*pages) == 1


def test_eight_windows_of_one_run_receive_the_same_events_however_late_they_opened(chromium: Browser) -> None:
    (run,) = make_runs(1)
    with served(chromium) as site:
        pages: list[Page] = []
        for _window in range(8):
            pages.append(open_window(site, run, pages[0] if pages else None))
            emit_started(run.pk, 1)
        for page in pages:
            expect_all_events(page, run)
        assert connections_of(*pages) == 1


def test_hidden_windows_have_no_stream_and_receive_later_what_they_missed(chromium: Browser) -> None:
    runs = make_runs(3)
    with served(chromium) as site:
        pages = windows_on(site, runs)
        hide_and_wait(pages[0], pages[2])
        emit_started(runs[1].pk, 1)
        expect_all_events(pages[1], runs[1])
        assert connections_of(*pages) == 1
        hide_and_wait(*pages)
        for run in runs:
            emit_started(run.pk, 1, 1)
        for page, run in zip(pages, runs, strict=True):
            assert seqs_in_log(page) != all_seqs(run)
        for page, run in zip(pages, runs, strict=True):
            set_hidden(page, hidden=False)
            expect_all_events(page, run)
        assert connections_of(*pages) == 1
        emit_started(runs[2].pk, 1)
        expect_all_events(pages[2], runs[2])


def test_a_window_hidden_for_a_moment_keeps_its_stream(chromium: Browser) -> None:
    (run,) = make_runs(1)
    with served(chromium) as site:
        page = open_window(site, run)
        until(lambda: page.evaluate("window.sources.at(-1)?.readyState") == 1, "its stream")
        set_hidden(page, hidden=True)
        set_hidden(page, hidden=False)
        page.wait_for_timeout(2500)
        emit_started(run.pk, 1)
        expect_all_events(page, run)
        assert page.evaluate("window.sources.length") == 1


def test_a_window_opened_behind_another_has_no_stream_until_it_is_seen(chromium: Browser) -> None:
    first, second = make_runs(2)
    with served(chromium) as site:
        page = open_window(site, first)
        page.context.add_init_script("window.away = true")
        behind = open_window(site, second, page)
        emit_started(second.pk, 1)
        emit_started(first.pk, 1)
        expect_all_events(page, first)
        assert behind.evaluate("window.sources.length") == 0
        assert seqs_in_log(behind) == [1]
        set_hidden(behind, hidden=False)
        expect_all_events(behind, second)


@pytest.mark.parametrize("how", ["closed", "left", "hidden", "crashed", "hanging"])
def test_another_window_takes_over_from_the_one_with_the_connection(chromium: Browser, how: str) -> None:
    runs = make_runs(3)
    with served(chromium) as site:
        first, *others = windows_on(site, runs)
        until(lambda: connections_of(first) == 1, "the first window's connection")
        for run in runs:
            emit_started(run.pk, 1)
        if how == "closed":
            site.visitors.pop(0)
            first.close()
        elif how == "left":
            site.visitors[0].go(reverse("home"))
        elif how == "hidden":
            set_hidden(first, hidden=True)
        elif how == "crashed":
            site.visitors.pop(0)
            first.context.new_cdp_session(first).send("Page.enable")
            with pytest.raises(Exception, match=r"crash|Crash"):
                first.goto("chrome://crash")
        else:
            first.evaluate("setTimeout(() => { const end = Date.now() + 20000; while (Date.now() < end); })")
        for _turn in range(10):
            for run in runs:
                emit_started(run.pk, 1)
        for page, run in zip(others, runs[1:], strict=True):
            expect_all_events(page, run)
        until(lambda: connections_of(*others) == 1, "one connection of the windows that are left")


def test_a_window_that_hung_receives_everything_and_leaves_the_connection_where_it_is(
    chromium: Browser,
) -> None:
    runs = make_runs(2)
    with served(chromium) as site:
        first, second = windows_on(site, runs)
        until(lambda: connections_of(first) == 1, "the first window's connection")
        first.evaluate("setTimeout(() => { const end = Date.now() + 6000; while (Date.now() < end); })")
        for run in runs:
            emit_started(run.pk, 1)
        until(lambda: connections_of(second) == 1, "the second window's connection")
        expect_all_events(first, runs[0])
        until(lambda: connections_of(first) == 0, "the end of the first window's connection")
        for run in runs:
            emit_started(run.pk, 1)
        expect_all_events(first, runs[0])
        expect_all_events(second, runs[1])


def test_a_window_that_missed_an_event_asks_for_it(chromium: Browser) -> None:
    (run,) = make_runs(1)
    with served(chromium) as site:
        first = open_window(site, run)
        first.context.add_init_script(DEAF)
        second = open_window(site, run, first)
        for _turn in range(11):
            emit_started(run.pk, 1)
        for page in (first, second):
            expect_all_events(page, run)


def test_without_locks_each_visible_window_has_a_stream_of_its_own(chromium: Browser) -> None:
    runs = make_runs(2)
    with served(chromium) as site:
        first = open_window(site, runs[0])
        first.context.add_init_script(NO_LOCKS)
        first.reload()
        second = open_window(site, runs[1], first)
        for run in runs:
            emit_started(run.pk, 1)
        expect_all_events(first, runs[0])
        expect_all_events(second, runs[1])
        assert (connections_of(first), connections_of(second)) == (1, 1)
        hide_and_wait(first)
        emit_started(runs[0].pk, 1)
        set_hidden(first, hidden=False)
        expect_all_events(first, runs[0])


def test_z5_the_public_screen_beside_the_session_receives_no_names(chromium: Browser) -> None:
    (run,) = make_runs(1)
    with served(chromium) as site:
        named = open_window(site, run)
        wall = open_window(site, run, named, name="wall")
        emit_started(run.pk, 1)
        expect(named.locator('#log li[data-seq="2"]')).to_contain_text("Photo 0")
        expect(wall.locator('#log li[data-seq="2"]')).to_have_count(1)
        assert "Photo 0" not in wall.content()
        assert (connections_of(named), connections_of(wall)) == (1, 1)


def test_z8_signing_out_in_one_window_empties_the_others(chromium: Browser) -> None:
    runs = make_runs(4)
    with served(chromium) as site:
        pages = windows_on(site, runs)
        hide_and_wait(pages[3])
        began = time.monotonic()
        site.visitors[1].press("Log out")
        for page in (pages[0], pages[2]):
            page.wait_for_url(re.compile("/account/login/"), timeout=1000 * LEAVES_WITHIN)
        assert time.monotonic() - began < LEAVES_WITHIN
        for run in runs:
            emit_started(run.pk, 1)
        set_hidden(pages[3], hidden=False)
        pages[3].wait_for_url(re.compile("/account/login/"))
        assert connections_of(*pages) == 0


def test_w4_another_person_in_the_same_browser_receives_nothing_of_the_first(chromium: Browser) -> None:
    first_run, second_run = make_runs(2)
    patient = second_run.procedure.case.patient
    with served(chromium) as site:
        left_open = open_window(site, first_run)
        behind = open_window(site, first_run, left_open)
        hide_and_wait(behind)
        # Both are still open when the first person's session ends and another person signs in.
        value = in_thread(lambda: session_of(patient))
        left_open.context.add_cookies([{"name": "sessionid", "value": value, "url": site.address}])
        own = open_window(site, second_run, left_open)
        in_thread(lambda: Session.objects.exclude(session_key=value).delete())
        expect(left_open.locator("#session")).to_have_count(0, timeout=1000 * LEAVES_WITHIN)
        emit_started(first_run.pk, 1)
        emit_started(second_run.pk, 1)
        expect_all_events(own, second_run)
        streams = own.evaluate("window.sources.map((one) => one.url)")
        assert streams
        assert [url for url in streams if str(first_run.pk) in url or owner_mark(patient) not in url] == []
        # The window that comes back is not theirs: it is fetched anew, and there is nothing for them. It may
        # begin that by itself, in the middle of this call.
        with suppress(Error):
            set_hidden(behind, hidden=False)
        expect(behind.locator("#session")).to_have_count(0)
        for page in (left_open, behind):
            assert "Photo 0" not in page.content()
        for visitor in site.visitors[:2]:
            visitor.complaints[:] = [said for said in visitor.complaints if "404" not in said]


def test_windows_that_open_and_close_at_random_receive_everything_once(chromium: Browser) -> None:
    runs = make_runs(3)
    chance = random.Random(seed := random.randrange(10**6))  # noqa: S311
    with served(chromium) as site:
        open_windows: list[tuple[Page, Run]] = []
        hidden: set[Page] = set()
        anchor = site.visitor(doctor_of(runs[0])).page
        anchor.context.add_init_script(OBSERVED)
        for _step in range(40):
            for run in chance.sample(runs, 2):
                emit_started(run.pk, 1)
            act = chance.choice(["open", "open", "close", "hide", "show", "wait"])
            if act == "open" and len(open_windows) < 7:
                run = chance.choice(runs)
                open_windows.append((open_window(site, run, anchor), run))
            elif act == "close" and open_windows:
                page, _run = open_windows.pop(chance.randrange(len(open_windows)))
                site.visitors[:] = [one for one in site.visitors if one.page is not page]
                page.close()
            elif act in ("hide", "show") and open_windows:
                page, _run = chance.choice(open_windows)
                set_hidden(page, hidden=act == "hide")
                if act == "hide":
                    hidden.add(page)
                else:
                    hidden.discard(page)
            elif act == "wait":
                anchor.wait_for_timeout(chance.randrange(2500))
        for page, run in open_windows:
            if page in hidden:
                set_hidden(page, hidden=False)
            expect_all_events(page, run)
        assert connections_of(*(page for page, _run in open_windows)) <= 1, seed


def test_a_deactivated_person_leaves_the_page_within_five_seconds(chromium: Browser) -> None:
    run = make_run(1, pace=STILL)
    auditor = make_user(Role.AUDITOR)
    with served(chromium) as site:
        leaving, staying = at_session(site, run, auditor), at_session(site, run)
        site.visitors[0].expected.add("401 (Unauthorized)")
        control.call_doctor(run.pk, by=None)
        for page in (leaving, staying):
            expect(page.locator('#log li[data-kind="doctor-called"]')).to_have_count(1)
        began = time.monotonic()
        User.objects.filter(pk=auditor.pk).update(is_active=False)
        leaving.wait_for_url(re.compile("/account/login/"), timeout=1000 * LEAVES_WITHIN)
        assert time.monotonic() - began < LEAVES_WITHIN
        expect(leaving.locator("#session")).to_have_count(0)
        assert "Photo 0" not in leaving.content()
        calls.acknowledge(run.pk, by=doctor_of(run))
        expect(staying.locator('#log li[data-kind="doctor-acknowledged"]')).to_have_count(1)


def web_of(process: "subprocess.Popen[str]") -> int | None:
    """The process id of the web server that `process` supervises, or None if there is none."""
    for place in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((place / "stat").read_text().rpartition(")")[2].split()[1])
            words = (place / "cmdline").read_bytes().decode().split("\0")
        except (FileNotFoundError, ProcessLookupError):
            continue
        if parent == process.pid and "erasure.operations.web" in words:
            return int(place.name)
    return None


def seqs_in_log(page: Page) -> list[int]:
    """The seqs in the browser's log, oldest first."""
    seqs: list[int] = page.locator("#log li").evaluate_all("rows => rows.map(r => +r.dataset.seq).reverse()")
    return seqs


def test_no_event_is_lost_when_the_web_server_is_killed(chromium: Browser) -> None:
    run = make_run(1, pace=STILL)
    control.pause(run.pk, by=doctor_of(run))
    with serving_installation() as (address, process):
        site = OpenSite(address, chromium)
        page = at_session(site, run)
        expect(page.locator("#session")).to_have_attribute("data-state", "paused")
        first = web_of(process)
        assert first is not None
        control.call_doctor(run.pk, by=None)
        expect(page.locator('#log li[data-kind="doctor-called"]')).to_have_count(1)
        os.kill(first, signal.SIGKILL)
        # Events happen while there is no web server.
        calls.acknowledge(run.pk, by=doctor_of(run))
        control.call_doctor(run.pk, by=None)
        until(lambda: web_of(process) not in (None, first), "another web server")
        calls.acknowledge(run.pk, by=doctor_of(run))
        last = Run.objects.get(pk=run.pk).last_seq
        expect(page.locator(f'#log li[data-seq="{last}"]')).to_have_count(1, timeout=30_000)
        seqs = list(Event.objects.filter(run=run).order_by("seq").values_list("seq", flat=True))
        assert seqs_in_log(page) == seqs
        expect(page.locator("#answer")).to_be_hidden(timeout=30_000)
        expect(page.locator("#alarms .alarm")).to_have_count(0)
        # Requests at the moment of the kill fail with broken connections; nothing worse may happen.
        assert [said for said in site.complaints() if "ERR_" not in said] == []
        page.context.close()
