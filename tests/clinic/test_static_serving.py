"""Static files are served by WhiteNoise, with the headers of the middleware that every page has."""

import gzip
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import LazySettings
from django.core.asgi import get_asgi_application
from django.core.management import call_command
from django.test import Client

from tests.serving import ask, serving

# clinic/asgi.py filters this warning too, which the last test checks.
pytestmark = pytest.mark.filterwarnings("ignore:StreamingHttpResponse must consume synchronous iterators")

TOKENS = Path(__file__).resolve().parents[2] / "static" / "tokens.css"
NOT_FOUND = b"<h1>Nothing is here.</h1>"
FOREVER = "max-age=315360000, public, immutable"


@pytest.fixture
def port(settings: LazySettings) -> Iterator[int]:
    """The port of a server that runs Django with the settings at the fixture's start."""
    with serving(get_asgi_application()) as port:
        yield port


@pytest.fixture
def collected_path(settings: LazySettings, tmp_path: Path) -> str:
    """Run collectstatic as in production; return the URL path of tokens.css with its hash."""
    settings.STATIC_ROOT = tmp_path / "static"
    settings.WHITENOISE_USE_FINDERS = settings.WHITENOISE_AUTOREFRESH = False
    settings.STORAGES = settings.STORAGES | {
        "staticfiles": {"BACKEND": "clinic.http.static_files.StaticFiles"}
    }
    call_command("collectstatic", interactive=False, verbosity=0)
    (hashed,) = (tmp_path / "static").glob("tokens.????????????.css")
    return f"/static/{hashed.name}"


@pytest.mark.django_db
def test_a_file_comes_with_the_headers_of_every_page(port: int) -> None:
    answer = ask(port, "/static/tokens.css")
    assert (answer.status, answer.read()) == (200, TOKENS.read_bytes())
    assert answer.headers["Content-Type"] == 'text/css; charset="utf-8"'
    assert answer.headers["Content-Length"] == str(TOKENS.stat().st_size)
    assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"
    page = Client().get("/health/").headers
    for name in (
        "Content-Security-Policy",
        "Cross-Origin-Opener-Policy",
        "Permissions-Policy",
        "Referrer-Policy",
        "X-Content-Type-Options",
        "X-Frame-Options",
    ):
        assert answer.headers[name] == page[name]
    assert "Access-Control-Allow-Origin" not in answer.headers


def test_files_with_a_hash_are_cached_for_ever_and_compressed(collected_path: str, port: int) -> None:
    answer = ask(port, collected_path, **{"Accept-Encoding": "gzip"})
    body = answer.read()
    assert answer.headers["Cache-Control"] == FOREVER
    assert (answer.headers["Content-Encoding"], answer.headers["Vary"]) == ("gzip", "Accept-Encoding")
    assert len(body) == int(answer.headers["Content-Length"]) < len(gzip.decompress(body))
    plain = ask(port, "/static/tokens.css")
    assert plain.headers["Cache-Control"] == "max-age=60, public"
    assert plain.read() == TOKENS.read_bytes()


def test_a_matching_etag_is_answered_with_304(port: int) -> None:
    etag = ask(port, "/static/tokens.css").headers["ETag"]
    answer = ask(port, "/static/tokens.css", **{"If-None-Match": etag})
    assert (answer.status, answer.read(), answer.headers["ETag"]) == (304, b"", etag)
    assert "Content-Type" not in answer.headers
    assert "Content-Length" not in answer.headers


def test_range_requests_are_answered(port: int) -> None:
    answer = ask(port, "/static/tokens.css", Range="bytes=2-5")
    assert (answer.status, answer.read()) == (206, TOKENS.read_bytes()[2:6])
    assert answer.headers["Content-Range"] == f"bytes 2-5/{TOKENS.stat().st_size}"
    beyond = ask(port, "/static/tokens.css", Range="bytes=99999998-99999999")
    assert (beyond.status, beyond.read()) == (416, b"")


def test_head_returns_the_length_without_a_body(port: int) -> None:
    answer = ask(port, "/static/tokens.css", method="HEAD")
    assert (answer.status, answer.headers["Content-Length"]) == (200, str(TOKENS.stat().st_size))
    assert answer.read() == b""


@pytest.mark.parametrize(
    "path",
    [
        "/static/",
        "/static/none.css",
        "/static/../manage.py",
        "/static/%2e%2e/manage.py",
        "/static//etc/passwd",
    ],
)
def test_missing_files_and_paths_outside_are_not_found(port: int, path: str) -> None:
    answer = ask(port, path)
    assert (answer.status, answer.headers["Content-Type"]) == (404, "text/html; charset=utf-8")
    assert NOT_FOUND in answer.read()


def test_post_is_not_allowed(port: int) -> None:
    answer = ask(port, "/static/tokens.css", method="POST")
    assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD")


def test_a_wrong_host_is_refused(port: int) -> None:
    assert ask(port, "/static/tokens.css", Host="elsewhere.example").status == 400


def test_http_is_redirected_if_https_is_required(settings: LazySettings) -> None:
    settings.SECURE_SSL_REDIRECT = True
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    with serving(get_asgi_application()) as port:
        answer = ask(port, "/static/tokens.css")
        assert (answer.status, answer.headers["Location"][:8]) == (301, "https://")
        assert ask(port, "/static/tokens.css", **{"X-Forwarded-Proto": "https"}).status == 200


def test_with_debug_changed_files_are_served_at_once(
    settings: LazySettings, tmp_path: Path, port: int
) -> None:
    settings.DEBUG = True
    settings.STATICFILES_DIRS = [tmp_path]
    (tmp_path / "new.css").write_text("a {}")
    assert ask(port, "/static/new.css").read() == b"a {}"
    (tmp_path / "new.css").write_text("b {}")
    assert ask(port, "/static/new.css").read() == b"b {}"
    assert ask(port, "/static/../new.css").status == 404


ONE_FILE = """
import asyncio
from asgiref.testing import ApplicationCommunicator
from clinic.asgi import pages

async def main():
    scope = {"type": "http", "method": "GET", "path": "/static/tokens.css", "query_string": b""}
    asked = ApplicationCommunicator(pages, {**scope, "headers": [(b"host", b"localhost")]})
    await asked.send_input({"type": "http.request", "body": b""})
    print((await asked.receive_output(60))["status"])
    while (await asked.receive_output(60)).get("more_body"):
        pass

asyncio.run(main())
"""


def test_serving_a_file_logs_no_warning(tmp_path: Path) -> None:
    environment = {**os.environ, "LACUNA_DATA_DIR": str(tmp_path), "LACUNA_DEBUG": "1", "LACUNA_HTTPS": "0"}
    found = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-c", ONE_FILE],
        env=environment,
        cwd=TOKENS.parents[1],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (found.stdout, found.stderr) == ("200\n", "")
