"""A real browser on a real house: `manage.py serve` on the test's database, and Chromium beside it."""

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
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
from tests.factories import PASSPHRASE, publish_first_texts
from tests.house import PATIENCE, ROOT, environment
from tests.packages import find_chromium

T = TypeVar("T")

# How long what a browser test expects may take to come true on a busy machine; nothing is timed by it.
expect.set_options(timeout=1000 * PATIENCE)

CHROMIUM = find_chromium()
QUIET = [
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
DESK, PHONE = {"width": 1440, "height": 900}, {"width": 390, "height": 844}
# Where a person who wants to look at the pages finds them; without it nothing is written.
PICTURES = os.environ.get("LACUNA_SCREENSHOTS", "")


def apart(work: Callable[[], T]) -> T:
    """Do database work beside Playwright, whose event loop Django would take for an asynchronous caller."""
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


@dataclass
class Visitor:
    """One person at a browser of their own."""

    page: Page
    address: str
    complaints: list[str] = field(default_factory=list)
    told: int = 0

    def __post_init__(self) -> None:
        self.page.set_default_timeout(1000 * PATIENCE)
        self.page.on("console", self._heard)
        self.page.on("pageerror", lambda error: self.complaints.append(f"{self.page.url}: {error}"))
        self.page.on("response", self._answered)

    def _heard(self, said: ConsoleMessage) -> None:
        # A frame that is gone by the time it is asked for is no complaint, but the very promise.
        if said.type == "error" and "410 (Gone)" not in said.text:
            self.complaints.append(f"{self.page.url}: {said.text}")

    def _answered(self, response: Response) -> None:
        if response.status >= 500:
            self.complaints.append(f"{response.status} {response.url}")

    def go(self, path: str) -> None:
        """Open an address of the house."""
        self.page.goto(self.address + path)

    def press(self, name: str, *, exact: bool = True) -> None:
        """Press the button or follow the link of this name, and wait for the page it leads to."""
        page = self.page
        thing = page.get_by_role("button", name=name, exact=exact).or_(
            page.get_by_role("link", name=name, exact=exact)
        )
        thing.first.click()
        page.wait_for_load_state()

    def log_in(self, email: str, passphrase: str = PASSPHRASE) -> None:
        self.go("/account/login/")
        self.page.locator("[name=login]").fill(email)
        self.page.locator("[name=password]").fill(passphrase)
        self.press("Log in")

    def forgive(self, what: str) -> None:
        """Take one complaint that the test itself has asked for off the list; it must be there."""
        found = next((said for said in self.complaints if what in said), None)
        assert found, (what, self.complaints)
        self.complaints.remove(found)

    def look(self, name: str) -> None:
        """Photograph the page at both sizes, where somebody wants to see it."""
        if not PICTURES:
            return
        was = self.page.viewport_size
        for size in (DESK, PHONE):
            self.page.set_viewport_size(size)
            path = Path(PICTURES) / f"{self.told:02d}-{name}-{size['width']}.png"
            # Hiding the caret would leave style attributes behind, which htmx then copies against the policy.
            self.page.screenshot(path=path, full_page=True, caret="initial")
        self.page.set_viewport_size(was or DESK)
        self.told += 1


@dataclass
class OpenHouse:
    """A running house and the browser that looks at it."""

    address: str
    browser: Browser
    visitors: list[Visitor] = field(default_factory=list)

    def visitor(self, user: User | None = None, **options: Any) -> Visitor:
        """Somebody at a browser of their own; signed in already where `user` is given."""
        context = self.browser.new_context(**{"viewport": DESK, "locale": "en-US", **options})
        if user is not None:
            value = apart(lambda: session_of(user))
            cookie = {"name": settings.SESSION_COOKIE_NAME, "value": value, "url": self.address}
            context.add_cookies([cookie])  # type: ignore[list-item]
        someone = Visitor(context.new_page(), self.address)
        self.visitors.append(someone)
        return someone

    def complaints(self) -> list[str]:
        """What any page complained of: errors, violations of the policy, answers of 500 and above."""
        return [said for visitor in self.visitors for said in visitor.complaints]


def session_of(user: User) -> str:
    """Sign `user` in, and return what their browser would keep."""
    client = Client()
    client.force_login(user, backend=settings.AUTHENTICATION_BACKENDS[0])
    return client.cookies[settings.SESSION_COOKIE_NAME].value


@contextmanager
def serving_house(**env: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Run `manage.py serve` for the length of a test; yield its address. It must close without an error."""
    connections.close_all()
    process = subprocess.Popen(  # noqa: S603 - our own command line
        [sys.executable, str(ROOT / "manage.py"), "serve", "--port", "0", "--workers", "1"],
        env=environment(**{"LACUNA_DEMO": "0", "LACUNA_PACE_SECONDS": "0.5", **env}),
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
            _out, said = process.communicate(timeout=PATIENCE)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
            watcher.forget_group(process.pid)
    assert process.returncode == 0
    assert [line for line in said.splitlines() if " ERROR " in line or " CRITICAL " in line] == []


@contextmanager
def open_house(**env: str) -> Iterator[OpenHouse]:
    """A house with its doors open, the texts that are signed published, and a browser."""
    if not CHROMIUM:
        pytest.skip("no Chromium here; set CHROMIUM to its path")
    publish_first_texts()
    with serving_house(**env) as (address, _process), sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        try:
            yield OpenHouse(address, browser)
        finally:
            browser.close()
