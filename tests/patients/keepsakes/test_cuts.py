"""A film is uploaded over a connection that is cut five times, for up to ten minutes.

The tests move the browser's clock, so ten minutes take a second. The film has 40 MB;
LACUNA_TEST_FILM_BYTES=1073741824 makes it a gigabyte.
"""

import hashlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect

from patients.cases.models import Case
from patients.keepsakes.models import Keepsake
from patients.vault.models import StoredObject
from patients.vault.objects import reader
from tests.browser.browsing import PHONE, OpenSite, Visitor, chromium, in_thread, open_pages
from tests.factories import make_case
from tests.patients.imaging.media import padded_film
from tests.patients.keepsakes.line import Line, line_to
from tests.patients.keepsakes.test_browser import until_on

__all__ = ["chromium"]
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser]

MEGABYTE = 1024 * 1024
FILM_BYTES = int(os.environ.get("LACUNA_TEST_FILM_BYTES", "41943040"))
CUTS = (20, 60, 150, 300, 600)  # how long each lasts, in seconds
LONGEST_PAUSE = 60  # seconds between two attempts (static/upload/line.js)
# Bytes that one cut can lose: those in the buffers of both sockets and of the server.
IN_BUFFERS = 6 * MEGABYTE
TIMEOUT = 120 + FILM_BYTES // MEGABYTE  # seconds


@pytest.fixture
def case() -> Case:
    return make_case()


@pytest.fixture
def site(case: Case, chromium: Browser) -> Iterator[OpenSite]:
    with open_pages(chromium) as site:
        yield site


@pytest.fixture
def line(site: OpenSite) -> Iterator[Line]:
    with line_to(urlsplit(site.address).port or 0) as line:
        yield line


@pytest.fixture
def patient(site: OpenSite, line: Line, case: Case) -> Visitor:
    # The browser reaches the server through the line.
    site.address = f"http://127.0.0.1:{line.port}"
    visitor = site.visitor(case.patient, viewport=PHONE, has_touch=True)
    visitor.expected |= {"ERR_", "Failed to load resource"}
    visitor.page.clock.install()
    visitor.go("/me/keepsakes/")
    return visitor


@pytest.fixture
def film(tmp_path: Path) -> Path:
    path = tmp_path / "film.mp4"
    with path.open("wb") as file:
        for piece in padded_film(FILM_BYTES):
            file.write(piece)
    return path


def digest_of_original() -> str:
    digest = hashlib.sha256()
    original = StoredObject.objects.get(role=StoredObject.Role.ORIGINAL, state=StoredObject.State.LIVE)
    with reader(original) as file:
        while piece := file.read(MEGABYTE):
            digest.update(piece)
    return digest.hexdigest()


def pass_time(page: Page, seconds: int) -> None:
    """Move the page's clock on. Its requests still take real time."""
    for _step in range(0, seconds, 5):
        page.clock.run_for(5000)


def pass_time_until(page: Page, happened: Callable[[], bool], what: str) -> None:
    """Move the page's clock on until something has happened, which may take real time, too."""

    def look() -> bool:
        page.clock.run_for(1000)
        return happened()

    until_on(page, look, what)


@pytest.mark.timeout(TIMEOUT)
def test_a_film_crosses_a_line_that_is_cut_five_times(patient: Visitor, line: Line, film: Path) -> None:
    page = patient.page
    state = page.locator(".bring-state")
    step = FILM_BYTES // (len(CUTS) + 1)

    def tries_twice_more() -> Callable[[], bool]:
        """A function that says whether the browser has tried twice more since this call."""
        enough = line.attempts + 2
        return lambda: line.attempts >= enough

    def sends_more() -> Callable[[], bool]:
        """A function that says whether bytes were sent since this call."""
        sent = line.sent
        return lambda: line.sent > sent

    line.cut_after(step)
    page.locator("#files").set_input_files(film)
    for number, seconds in enumerate(CUTS):
        pass_time_until(page, lambda: line.is_cut, "the line is cut")
        pass_time(page, seconds)
        pass_time_until(page, tries_twice_more(), "it still tries to connect")
        expect(state).to_have_text("No connection. What has arrived is kept, and it goes on by itself.")
        if number < len(CUTS) - 1:
            line.cut_after(step, silently=number == 1)  # neither side is told of the third cut
            line.mend()
            pass_time(page, LONGEST_PAUSE)
        else:
            line.mend()
            # The page's clock stands still, so no pause ends: only the event `online` makes it send.
            page.clock.pause_at(page.evaluate("Date.now()") / 1000 + 1)
            has_sent = sends_more()
            page.evaluate("dispatchEvent(new Event('online'))")
            until_on(page, has_sent, "it sends at once")
            page.clock.resume()
    expect(page.locator("#sum")).to_have_text("1 arrived and sealed", timeout=TIMEOUT * 1000)
    with film.open("rb") as file:
        assert in_thread(digest_of_original) == hashlib.file_digest(file, "sha256").hexdigest()
    assert in_thread(lambda: Keepsake.objects.get().kind) == Keepsake.Kind.VIDEO
    assert line.sent < FILM_BYTES + len(CUTS) * IN_BUFFERS, "only bytes that were in buffers are sent twice"
    assert patient.complaints == []
