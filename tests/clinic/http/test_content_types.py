"""A request with an invalid Content-Type, or a charset other than UTF-8, gets a plain 4xx on every URL."""

import socket
from collections.abc import Iterator

import pytest
from django.conf import settings
from django.urls import reverse

from clinic.http.content_types import check_content_type
from clinic.http.guard import Refused
from tests.serving import serving, whole_application

FORM = "application/x-www-form-urlencoded"
UNREADABLE = [
    f"{FORM}; charset=utf-16",
    f"{FORM}; charset=utf8",
    f"{FORM}; charset=rot13",
    f"{FORM}; charset=undefined",
    f'{FORM}; charset="utf-16"',
    f"{FORM}; charset=no-such-one",
    f"{FORM}; charset=utf-8; CharSet=utf-16",
    f"{FORM};charset*=no-such-one''%ff",
    f"{FORM}; a*=no-such-one''%ff",
    f"{FORM}; charset=",
    f'{FORM}; charset="utf-8',
    f"{FORM}; charset=a\x7fb",
    f"{FORM}; a=\xe9",
    f"{FORM}{'; a' * 20_000}",
    f"{FORM}; a={'b' * 2000}",
    f"{FORM}, text/plain",
    f"{FORM}\r\nContent-Type: {FORM}",
    "multipart/form-data; boundary=x; charset=utf-16",
    "multipart/form-data; boundary=x; charset=rot13",
    "text/plain; charset=utf-16",
    "form",
    "/",
    ";",
]
READABLE = [
    "",
    FORM,
    f"{FORM};charset=UTF-8",
    f'{FORM} ; charset="utf-8" ;',
    "multipart/form-data; boundary=----WebKitFormBoundaryabc'()+_,-./:=?"[:50],
    'multipart/form-data; boundary="a b;=\\"c"',
    "application/offset+octet-stream",
]
OUR_HEADERS = (b"cache-control: private, no-store", b"content-security-policy:", b"x-frame-options: deny")
ADDRESSES = ("/live/x", "/pictures/x", "/playback/x", "/upload/", "/upload/form", "/static/x", "/nothing")


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with serving(whole_application()) as port:
        yield port


def post(port: int, path: str, content_type: str, body: bytes = b"a=b") -> tuple[bytes, bytes]:
    """POST `body`; return head and body of the response. The CSRF cookie makes Django parse the form."""
    lines = [
        f"POST {path} HTTP/1.1",
        "Host: localhost",
        f"Cookie: {settings.CSRF_COOKIE_NAME}={'a' * 32}",
        "Connection: close",
        f"Content-Length: {len(body)}",
        f"Content-Type: {content_type}",
        "\r\n",
    ]
    with socket.create_connection(("127.0.0.1", port), timeout=20) as client:
        client.sendall("\r\n".join(lines).encode("latin-1") + body)
        answer = b""
        while piece := client.recv(65536):
            answer += piece
    head, _empty, text = answer.partition(b"\r\n\r\n")
    return head, text


def assert_plain_4xx(head: bytes) -> None:
    assert head.split()[1] in {b"400", b"415"}
    for header in OUR_HEADERS:
        assert header in head.lower()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("content_type", UNREADABLE, ids=lambda value: value[:60])
def test_h1_an_unreadable_content_type_is_a_plain_4xx_on_pages(port: int, content_type: str) -> None:
    for path in (reverse("set_language"), reverse("account_login")):
        assert_plain_4xx(post(port, path, content_type)[0])


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("path", ADDRESSES)
def test_h1_an_unreadable_content_type_is_a_plain_4xx_on_every_route(port: int, path: str) -> None:
    for content_type in (f"{FORM}; charset=utf-16", f"{FORM};charset*=no-such-one''%ff"):
        assert_plain_4xx(post(port, path, content_type)[0])


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("multipart/form-data", b"--x--\r\n"),
        ("multipart/form-data; boundary=" + "x" * 300, b"--x--\r\n"),
        ('multipart/form-data; boundary="x "', b"--x --\r\n"),
        (FORM, b"a&" * 20_000),
        (FORM, b"a=" + b"b" * 3 * 2**20),
    ],
    ids=["no boundary", "long boundary", "space", "many fields", "large"],
)
def test_h1_a_form_that_django_refuses_is_a_page_with_our_headers(
    port: int, content_type: str, body: bytes
) -> None:
    head, _text = post(port, reverse("set_language"), content_type, body)
    assert head.split()[1] in {b"400", b"413"}
    assert b"content-security-policy:" in head.lower()
    assert b"cache-control: private, no-store" in head.lower()


def refusal_of(content_type: bytes) -> int | None:
    """The status with which this header is refused, or None if it is accepted."""
    try:
        check_content_type([(b"Content-Type", content_type)])
    except Refused as refusal:
        return refusal.status
    return None


@pytest.mark.parametrize("content_type", READABLE)
def test_a_content_type_that_browsers_send_is_accepted(content_type: str) -> None:
    assert refusal_of(content_type.encode()) is None


def test_a_content_type_with_many_parameters_is_refused_quickly() -> None:
    for piece in (b" ;", b"; a=", b';a="', b'; a="\\'):
        assert refusal_of(b"a/b" + piece * 150 + b"\x00") == 400


@pytest.mark.django_db(transaction=True)
def test_an_unhandled_exception_in_an_asgi_app_has_our_headers(port: int) -> None:
    async def broken(scope: object, receive: object, send: object) -> None:
        raise LookupError("on purpose")

    application = whole_application()
    application.routes = {"/": broken}
    with serving(application) as own_port:
        head, text = post(own_port, "/", FORM)
    assert head.split()[1] == b"500"
    assert b"content-security-policy:" in head.lower()
    assert text == b"Something went wrong here. It has been noted."
