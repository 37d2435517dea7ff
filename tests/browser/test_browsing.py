"""What `open_pages` refuses: errors in the log of the application that it serves."""

import logging

import pytest

from tests.browser.browsing import no_errors_logged


@pytest.mark.parametrize("name", ["", "django.request", "lacuna.worker", "another"])
def test_an_error_in_the_log_fails_the_test(name: str) -> None:
    with pytest.raises(AssertionError, match="the disk is full"), no_errors_logged():
        logging.getLogger(name).error("the disk is full")
    with no_errors_logged():
        logging.getLogger(name).warning("the disk is nearly full")
