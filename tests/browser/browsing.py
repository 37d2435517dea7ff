"""A real browser and a real server: Chromium, and `manage.py serve` on the test's database."""

import logging
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import pytest
from django.conf import settings
from django.db import connection, connections
from django.test import Client
from playwright.sync_api import Browser, ConsoleMessage, Page, Response, expect, sync_playwright

from clinic.accounts.models import User
from tests import watcher
from tests.configuration import configure_unless_done
from tests.factories import PASSPHRASE, publish_first_texts
from tests.packages import find_chromium
from tests.processes import PATIENCE, ROOT, environment
from tests.serving import serving, whole_application

T = TypeVar("T")

# Milliseconds that an expectation may take on a busy machine. No test measures time with it.
expect.set_options(timeout=1000 * PATIENCE)

CHROMIUM = find_chromium()
BROWSER_OPTIONS = [
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
DESK, PHONE = {"width": 1440, "height": 900}, {"width": 390, "height": 844}
# Directory for screenshots of the pages; if it is not set, none are taken.
PICTURES = os.environ.get("LACUNA_SCREENSHOTS", "")


def in_thread(work: Callable[[], T]) -> T:
    """Call `work` in another thread.

    Django refuses database access in Playwright's thread, because that has an event loop.
    """
    done: list[T] = []
    failed: list[BaseException] = []

    def run() -> None:
        try:
            done.append(work())
        except BaseException as error:
            failed.append(error)
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if failed:
        raise failed[0]
    return done[0]


def wait_until_true(page: Page, expression: str) -> None:
    """Wait until a JavaScript expression is true: a browser lays out and moves the focus in its own time."""
    page.wait_for_function(f"() => {expression}")


@dataclass
class Visitor:
    """One person with their own browser context.

    complaints: errors of the pages and responses. expected: parts of console errors that are no complaints,
    whether they come or not: a browser drops those of a page that it is just leaving.
    """

    page: Page
    address: str
    complaints: list[str] = field(default_factory=list)
    # 410 is right for a picture that was destroyed before the browser requested it.
    expected: set[str] = field(default_factory=lambda: {"410 (Gone)"})
    screenshots: int = 0

    def __post_init__(self) -> None:
        self.page.set_default_timeout(1000 * PATIENCE)
        self.page.on("console", self._on_console)
        self.page.on("pageerror", lambda error: self.complaints.append(f"{self.page.url}: {error}"))
        self.page.on("response", self._on_response)

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type == "error" and not any(part in message.text for part in self.expected):
            self.complaints.append(f"{self.page.url}: {message.text}")

    def _on_response(self, response: Response) -> None:
        if response.status >= 500:
            self.complaints.append(f"{response.status} {response.url}")

    def go(self, path: str) -> None:
        """Open a path of the server."""
        self.page.goto(self.address + path)

    def press(self, name: str, *, exact: bool = True) -> None:
        """Click the button or link of this name, and wait for the next page."""
        page = self.page
        target = page.get_by_role("button", name=name, exact=exact).or_(
            page.get_by_role("link", name=name, exact=exact)
        )
        target.first.click()
        page.wait_for_load_state()

    def log_in(self, email: str, passphrase: str = PASSPHRASE) -> None:
        self.go("/account/login/")
        self.page.locator("[name=login]").fill(email)
        self.page.locator("[name=password]").fill(passphrase)
        self.press("Log in")

    def expect_complaint(self, what: str) -> None:
        """Remove a complaint that the test has caused on purpose; it must be there."""
        found = next((complaint for complaint in self.complaints if what in complaint), None)
        assert found, (what, self.complaints)
        self.complaints.remove(found)

    def take_screenshots(self, name: str) -> None:
        """Take a screenshot of the page at both sizes, if PICTURES is set."""
        if not PICTURES:
            return
        size_before = self.page.viewport_size
        for size in (DESK, PHONE):
            self.page.set_viewport_size(size)
            path = Path(PICTURES) / f"{self.screenshots:02d}-{name}-{size['width']}.png"
            # Hiding the caret would leave style attributes, which htmx would copy and the CSP refuse.
            self.page.screenshot(path=path, full_page=True, caret="initial")
        self.page.set_viewport_size(size_before or DESK)
        self.screenshots += 1


@dataclass
class OpenSite:
    """A running server, and the browser with which its visitors come."""

    address: str
    browser: Browser
    visitors: list[Visitor] = field(default_factory=list)

    def visitor(self, user: User | None = None, **options: Any) -> Visitor:
        """A new visitor with their own browser context, signed in if `user` is given."""
        context = self.browser.new_context(**{"viewport": DESK, "locale": "en-US", **options})
        if user is not None:
            value = in_thread(lambda: session_of(user))
            cookie = {"name": settings.SESSION_COOKIE_NAME, "value": value, "url": self.address}
            context.add_cookies([cookie])  # type: ignore[list-item]
        visitor = Visitor(context.new_page(), self.address)
        self.visitors.append(visitor)
        return visitor

    def complaints(self) -> list[str]:
        """The complaints of all visitors: errors, violations of the CSP, responses of 500 and above."""
        return [complaint for visitor in self.visitors for complaint in visitor.complaints]


def session_of(user: User) -> str:
    """Sign `user` in, and return the value of their session cookie."""
    client = Client()
    client.force_login(user, backend=settings.AUTHENTICATION_BACKENDS[0])
    return client.cookies[settings.SESSION_COOKIE_NAME].value


@contextmanager
def serving_installation(
    *, as_installed: bool = False, **env: str
) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Run `manage.py serve` for the block; yield its address and process. It must exit without an error.

    There is no time to think it over and a memory takes half a second, unless the test has configured these
    itself, or wants a clinic in which nothing has been decided yet (as_installed).
    """
    if not as_installed:
        configure_unless_done(cooling_off_hours=0, pace_seconds=0.5)
    connections.close_all()
    process = subprocess.Popen(  # noqa: S603 - our own command line
        [sys.executable, str(ROOT / "manage.py"), "serve", "--port", "0", "--workers", "1"],
        env=environment(**{"LACUNA_DEMO": "0", **env}),
        start_new_session=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    watcher.watch_group(process.pid)
    try:
        assert process.stdout is not None
        found = re.search(r"http://127\.0\.0\.1:\d+", greeting := process.stdout.readline())
        assert found, (greeting, process.stderr and process.stderr.read())
        yield found[0], process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            _out, errors = process.communicate(timeout=PATIENCE)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
            watcher.forget_group(process.pid)
    assert process.returncode == 0
    assert [line for line in errors.splitlines() if " ERROR " in line or " CRITICAL " in line] == []


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """One Chromium for all tests of a module, because starting it takes longer than most tests.

    Its event loop runs in the test's thread. Django is told to allow database access there.
    """
    with pytest.MonkeyPatch.context() as patch, started_browser() as browser:
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
        yield browser


@contextmanager
def started_browser() -> Iterator[Browser]:
    """A Chromium of its own for the block; skips the test where none is installed."""
    if not CHROMIUM:
        pytest.skip("no Chromium here; set CHROMIUM to its path")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=BROWSER_OPTIONS)
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def visited(address: str, browser: Browser) -> Iterator[OpenSite]:
    """The server at `address` and the browser; at the end the browser contexts of all visitors are closed."""
    site = OpenSite(address, browser)
    try:
        yield site
    finally:
        for visitor in site.visitors:
            visitor.page.context.close()


@contextmanager
def open_installation(
    browser: Browser | None = None, *, as_installed: bool = False, **env: str
) -> Iterator[OpenSite]:
    """A running server with its worker and supervisor for the block, with the consent texts published.

    browser: the fixture `chromium`, by default a browser of its own. as_installed: as for
    `serving_installation`.
    """
    if not CHROMIUM:
        pytest.skip("no Chromium here; set CHROMIUM to its path")
    publish_first_texts()
    started = nullcontext(browser) if browser else started_browser()
    with (
        serving_installation(as_installed=as_installed, **env) as (address, _process),
        started as running,
        visited(address, running) as site,
    ):
        yield site


class ErrorLog(logging.Handler):
    """Collects the log records of errors."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


@contextmanager
def no_errors_logged() -> Iterator[None]:
    """Fail if the block logs an error, as `serving_installation` fails if one of its processes does."""
    log = ErrorLog()
    loggers = [logging.getLogger(), *(logging.getLogger(name) for name in settings.LOGGING["loggers"])]
    for logger in loggers:
        logger.addHandler(log)
    try:
        yield
    finally:
        for logger in loggers:
            logger.removeHandler(log)
    assert log.lines == [], log.lines


@contextmanager
def open_pages(browser: Browser) -> Iterator[OpenSite]:
    """The whole application served in this process for the block, with the consent texts published.

    For tests that need no worker and no supervisor: the processes of `open_installation` take some ten
    seconds of processor time. browser: the fixture `chromium`.
    """
    publish_first_texts()
    with (
        no_errors_logged(),
        serving(whole_application()) as port,
        visited(f"http://127.0.0.1:{port}", browser) as site,
    ):
        yield site
