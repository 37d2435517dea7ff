"""H1: every response has the security headers, also refusals and errors."""

from collections.abc import Callable
from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from django.urls import reverse

from tests.factories import make_case, make_user
from tests.serving import ask, serving, whole_application

EXPECTED = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
pytestmark = pytest.mark.django_db


def assert_security_headers(headers: Any) -> None:
    """Assert that all security headers are there, and that the CSP allows nothing inline."""
    assert {name: headers.get(name) for name in EXPECTED} == EXPECTED
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert "camera=()" in headers["Permissions-Policy"]


@pytest.mark.parametrize(
    ("send", "status"),
    [
        (lambda client: client.get(reverse("home")), 200),
        (lambda client: client.get("/today/"), 302),
        (lambda client: client.get("/nowhere/"), 404),
        (lambda client: client.post("/health/"), 405),
        (lambda client: client.get("/", headers={"host": "elsewhere.example"}), 400),
    ],
    ids=["page", "redirect", "not found", "not allowed", "another name"],
)
def test_responses_to_visitors_have_the_headers(send: Callable[[Client], Any], status: int) -> None:
    answer = send(Client())
    assert answer.status_code == status
    assert_security_headers(answer.headers)


def test_refusals_and_errors_have_the_headers(monkeypatch: pytest.MonkeyPatch) -> None:
    client = Client(raise_request_exception=False)
    client.force_login(make_user("patient"), backend=settings.AUTHENTICATION_BACKENDS[0])
    refused = client.get(reverse("patients:case", args=[make_case().pk]))
    assert refused.status_code in {403, 404}
    assert_security_headers(refused.headers)
    monkeypatch.setattr("clinic.people.views.connection", None)
    failed = client.get("/health/")
    assert failed.status_code == 500
    assert_security_headers(failed.headers)


@pytest.mark.parametrize(("path", "status"), [("/static/tokens.css", 200), ("/static/nowhere.css", 404)])
def test_static_files_have_the_headers(path: str, status: int) -> None:
    answer = Client().get(path)
    assert answer.status_code == status
    assert_security_headers(answer.headers)


@pytest.mark.parametrize("prefix", sorted(settings.ASGI_ROUTES))
def test_responses_of_asgi_routes_have_the_headers(prefix: str) -> None:
    with serving(whole_application()) as port:
        answer = ask(port, f"{prefix}nothing/")
        assert answer.status >= 400
        assert_security_headers(answer.headers)
