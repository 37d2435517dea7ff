"""The fixture `chromium` for all tests of this directory."""

from tests.browser.browsing import chromium

__all__ = ["chromium"]
