"""One Chromium for all the tests of a module: starting it costs more than most of them."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.browser.browsing import CHROMIUM, QUIET


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """A browser. Its event loop runs in the test's own thread, which Django is told to bear."""
    if not CHROMIUM:
        pytest.skip("no Chromium here; set CHROMIUM to its path")
    with pytest.MonkeyPatch.context() as patch, sync_playwright() as playwright:
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield browser
        browser.close()
