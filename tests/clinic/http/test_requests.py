"""Whether a request asks for a fragment of the page."""

import pytest
from django.test import RequestFactory
from django_htmx.middleware import HtmxDetails

from clinic.http.requests import wants_fragment


@pytest.mark.parametrize(
    ("headers", "fragment"),
    [
        ({"HX-Request": "true"}, True),
        ({}, False),
        ({"HX-Request": "true", "HX-Boosted": "true"}, False),
        ({"HX-Request": "true", "HX-History-Restore-Request": "true"}, False),
    ],
    ids=["a part", "no script", "a link", "a step back"],
)
def test_boosted_links_and_history_restores_get_the_whole_page(
    rf: RequestFactory, headers: dict[str, str], fragment: bool
) -> None:
    request = rf.get("/files/", headers=headers)
    request.htmx = HtmxDetails(request)  # type: ignore[attr-defined]
    assert wants_fragment(request) is fragment
