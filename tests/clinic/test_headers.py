"""H1: every answer says what a browser may do with it, refusals and failures included."""

from collections.abc import Callable
from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from django.urls import reverse

from tests.factories import make_case, make_user
from tests.serving import ask, serving, whole_house

SAID = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
pytestmark = pytest.mark.django_db


def complete(headers: Any) -> None:
    """Each header of the house is there, and the policy allows nothing inline."""
    assert {name: headers.get(name) for name in SAID} == SAID
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert "camera=()" in headers["Permissions-Policy"]


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        (lambda client: client.get(reverse("home")), 200),
        (lambda client: client.get("/today/"), 302),
        (lambda client: client.get("/nowhere/"), 404),
        (lambda client: client.post("/health/"), 405),
        (lambda client: client.get("/", headers={"host": "elsewhere.example"}), 400),
    ],
    ids=["page", "redirect", "not found", "not allowed", "another name"],
)
def test_a_visitor_is_answered_with_all_of_them(asked: Callable[[Client], Any], status: int) -> None:
    answer = asked(Client())
    assert answer.status_code == status
    complete(answer.headers)


def test_so_are_a_refusal_and_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    client = Client(raise_request_exception=False)
    client.force_login(make_user("patient"), backend=settings.AUTHENTICATION_BACKENDS[0])
    refused = client.get(reverse("patients:case", args=[make_case().pk]))
    assert refused.status_code in {403, 404}
    complete(refused.headers)
    monkeypatch.setattr("clinic.people.views.connection", None)
    failed = client.get("/health/")
    assert failed.status_code == 500
    complete(failed.headers)


@pytest.mark.parametrize(("path", "status"), [("/static/tokens.css", 200), ("/static/nowhere.css", 404)])
def test_so_is_who_asks_for_a_static_file(path: str, status: int) -> None:
    answer = Client().get(path)
    assert answer.status_code == status
    complete(answer.headers)


@pytest.mark.parametrize("prefix", sorted(settings.ASGI_ROUTES))
def test_so_is_who_asks_beside_django(prefix: str) -> None:
    with serving(whole_house()) as port:
        answer = ask(port, f"{prefix}nothing/")
        assert answer.status >= 400
        complete(answer.headers)
