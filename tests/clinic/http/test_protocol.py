"""What is no request for the server is answered with the headers of every page."""

import socket

import pytest

from tests.serving import serving


async def nothing(scope: object, receive: object, send: object) -> None:
    raise AssertionError("no application is asked")


@pytest.mark.parametrize(("line", "status"), [(b"FOO / HTTP/1.1", b"501"), (b"GET / \x00\x01", b"400")])
def test_h3_an_unknown_method_gets_our_headers_and_a_sentence(line: bytes, status: bytes) -> None:
    with serving(nothing) as port, socket.create_connection(("127.0.0.1", port), timeout=20) as client:
        client.sendall(line + b"\r\nHost: localhost\r\n\r\n")
        answer = b""
        while piece := client.recv(65536):
            answer += piece
    head, _empty, body = answer.partition(b"\r\n\r\n")
    assert head.split()[1] == status
    for header in (
        b"cache-control: private, no-store",
        b"content-security-policy:",
        b"x-frame-options: DENY",
    ):
        assert header in head
    assert body.startswith((b"This is no", b"This method"))
