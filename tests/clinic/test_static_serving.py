"""Static files as a browser gets them: WhiteNoise, within the middleware that every page passes."""

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

# clinic/asgi.py has this filter; the test at the end shows that it does.
pytestmark = pytest.mark.filterwarnings("ignore:StreamingHttpResponse must consume synchronous iterators")

TOKENS = Path(__file__).resolve().parents[2] / "static" / "tokens.css"
NOT_FOUND = b"<h1>Nothing is here.</h1>"
FOREVER = "max-age=315360000, public, immutable"


@pytest.fixture
def port(settings: LazySettings) -> Iterator[int]:
    """Django behind a server, with the settings as they are when it starts."""
    with serving(get_asgi_application()) as port:
        yield port


@pytest.fixture
def laid(settings: LazySettings, tmp_path: Path) -> str:
    """The folder as production lays it out; return the path of tokens.css in it, by its digest."""
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


def test_what_carries_its_digest_is_kept_for_good_and_comes_compressed(laid: str, port: int) -> None:
    answer = ask(port, laid, **{"Accept-Encoding": "gzip"})
    body = answer.read()
    assert answer.headers["Cache-Control"] == FOREVER
    assert (answer.headers["Content-Encoding"], answer.headers["Vary"]) == ("gzip", "Accept-Encoding")
    assert len(body) == int(answer.headers["Content-Length"]) < len(gzip.decompress(body))
    plain = ask(port, "/static/tokens.css")
    assert plain.headers["Cache-Control"] == "max-age=60, public"
    assert plain.read() == TOKENS.read_bytes()


def test_what_a_browser_has_is_not_sent_again(port: int) -> None:
    has = ask(port, "/static/tokens.css").headers["ETag"]
    answer = ask(port, "/static/tokens.css", **{"If-None-Match": has})
    assert (answer.status, answer.read(), answer.headers["ETag"]) == (304, b"", has)
    assert "Content-Type" not in answer.headers
    assert "Content-Length" not in answer.headers


def test_a_part_is_sent_where_a_part_is_asked(port: int) -> None:
    answer = ask(port, "/static/tokens.css", Range="bytes=2-5")
    assert (answer.status, answer.read()) == (206, TOKENS.read_bytes()[2:6])
    assert answer.headers["Content-Range"] == f"bytes 2-5/{TOKENS.stat().st_size}"
    beyond = ask(port, "/static/tokens.css", Range="bytes=99999998-99999999")
    assert (beyond.status, beyond.read()) == (416, b"")


def test_head_says_the_length_and_sends_nothing(port: int) -> None:
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
def test_what_is_not_there_is_not_found(port: int, path: str) -> None:
    answer = ask(port, path)
    assert (answer.status, answer.headers["Content-Type"]) == (404, "text/html; charset=utf-8")
    assert NOT_FOUND in answer.read()


def test_nothing_is_taken_here(port: int) -> None:
    answer = ask(port, "/static/tokens.css", method="POST")
    assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD")


def test_only_by_our_name(port: int) -> None:
    assert ask(port, "/static/tokens.css", Host="elsewhere.example").status == 400


def test_only_over_https_where_that_is_asked(settings: LazySettings) -> None:
    settings.SECURE_SSL_REDIRECT = True
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    with serving(get_asgi_application()) as port:
        answer = ask(port, "/static/tokens.css")
        assert (answer.status, answer.headers["Location"][:8]) == (301, "https://")
        assert ask(port, "/static/tokens.css", **{"X-Forwarded-Proto": "https"}).status == 200


def test_while_one_works_on_the_house_each_file_is_as_it_is_now(
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


def test_nothing_is_written_to_the_log_for_it(tmp_path: Path) -> None:
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
