"""Malformed and oversized requests are refused early, with the headers of every page."""

import asyncio
import json
import socket
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest

from clinic.http.protocol import LINGER_BYTES, MOST_BYTES, BoundedProtocol
from tests.serving import serving

START = b"GET / HTTP/1.1\r\nHost: localhost\r\n"
CHUNKED = b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n"
OUR_HEADERS = (b"cache-control: private, no-store", b"content-security-policy:", b"x-frame-options: DENY")


async def never_called(scope: object, receive: object, send: object) -> None:
    raise AssertionError("the application was called")


async def reflect_headers(
    scope: dict[str, Any],
    receive: Callable[[], Awaitable[Any]],
    send: Callable[[dict[str, Any]], Awaitable[None]],
) -> None:
    """An ASGI application that answers with the names and lengths of the request's headers."""
    while (message := await receive()).get("more_body"):
        pass
    if message["type"] == "http.disconnect":
        return
    text = json.dumps([[name.decode(), len(value)] for name, value in scope["headers"]])
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": text.encode()})


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with serving(reflect_headers) as port:
        yield port


def exchange(port: int, *pieces: bytes) -> tuple[bytes, bytes]:
    """Send `pieces` until the server closes the connection; return head and body of its response."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as client:
        with suppress(BrokenPipeError, ConnectionResetError):  # refused early; the response was sent before
            for piece in pieces:
                client.sendall(piece)
        head, _empty, body = receive_all(client).partition(b"\r\n\r\n")
    return head, body


def receive_all(client: socket.socket) -> bytes:
    """All that the server sends until it closes the connection."""
    answer = b""
    with suppress(ConnectionResetError):
        while piece := client.recv(65536):
            answer += piece
    return answer


def assert_refused(answer: tuple[bytes, bytes], *statuses: bytes) -> None:
    head, body = answer
    assert head.split()[1] in statuses
    assert b"connection: close" in head
    for header in OUR_HEADERS:
        assert header in head
    assert body.startswith((b"This ", b"The headers "))


@pytest.mark.parametrize(("line", "status"), [(b"FOO / HTTP/1.1", b"501"), (b"GET / \x00\x01", b"400")])
def test_h3_an_unknown_method_gets_our_headers_and_a_sentence(line: bytes, status: bytes) -> None:
    with serving(never_called) as port:
        assert_refused(exchange(port, line + b"\r\nHost: localhost\r\n\r\n"), status)


@pytest.mark.parametrize(
    ("pieces", "status"),
    [
        ([START, b"X: ", b"x" * MOST_BYTES, b"\r\n\r\n"], b"431"),
        ([START, b"X: ", *[b"x" * 2**20] * 50, b"\r\n\r\n"], b"431"),
        ([START, b"Cookie: " + b"a=b; " * (MOST_BYTES // 5), b"\r\n\r\n"], b"431"),
        ([START, b"a: b\r\n" * (MOST_BYTES // 6), b"\r\n"], b"431"),
        ([START, b"x" * MOST_BYTES, b": y\r\n\r\n"], b"431"),
        ([b"GET /", b"x" * MOST_BYTES, b" HTTP/1.1\r\nHost: localhost\r\n\r\n"], b"414"),
        ([b"GET /?", b"x=1&" * (MOST_BYTES // 4), b" HTTP/1.1\r\nHost: localhost\r\n\r\n"], b"414"),
        ([b"\r\n" * MOST_BYTES], b"431"),
    ],
    ids=["header", "50 MB", "cookie", "many", "name", "address", "query", "empty lines"],
)
def test_v1_a_request_head_of_64_kb_does_not_reach_the_application(
    pieces: list[bytes], status: bytes
) -> None:
    with serving(never_called) as port:
        assert_refused(exchange(port, *pieces), status)


def test_v1_a_header_that_never_ends_is_refused_while_it_comes() -> None:
    with serving(never_called) as port, socket.create_connection(("127.0.0.1", port), timeout=20) as client:
        client.sendall(START + b"X: ")
        sent = 0
        with suppress(BrokenPipeError, ConnectionResetError):
            while sent < 64 * LINGER_BYTES:
                client.sendall(b"x" * 65536)
                sent += 65536
        head, _empty, body = receive_all(client).partition(b"\r\n\r\n")
    assert sent < 64 * LINGER_BYTES
    assert_refused((head, body), b"431")


@pytest.mark.parametrize(
    "pieces",
    [
        [b"\r\n1\r\nx\r\n0\r\n", b"X: ", b"x" * MOST_BYTES, b"\r\n\r\n"],
        [b"\r\n1\r\nx\r\n0\r\n", b"a: b\r\n" * (MOST_BYTES // 6), b"\r\n"],
        [b"\r\n1\r\nx\r\n", b"1;x=", *[b"x" * MOST_BYTES] * 8, b"\r\nx\r\n0\r\n\r\n"],
    ],
    ids=["trailer", "many trailers", "extension of a chunk"],
)
def test_v1_chunk_extensions_and_trailers_are_limited_too(port: int, pieces: list[bytes]) -> None:
    assert_refused(exchange(port, CHUNKED, *pieces), b"431")


def test_v1_a_trailer_is_not_passed_on_as_a_header(port: int) -> None:
    """A proxy sets X-Forwarded-For in the headers. A trailer comes from the client and must not count."""
    trailers = b"\r\n1\r\nx\r\n0\r\nX-Forwarded-For: 1.2.3.4\r\nCookie: a=b\r\n\r\n"
    _head, body = exchange(port, CHUNKED + b"Connection: close\r\n" + trailers)
    assert b"transfer-encoding" in body
    assert b"x-forwarded-for" not in body
    assert b"cookie" not in body


def test_v1_requests_just_below_the_limit_are_answered(port: int) -> None:
    large = START + b"X: " + b"x" * (MOST_BYTES - 500) + b"\r\n"
    long = b"GET /" + b"x" * (MOST_BYTES - 500) + b" HTTP/1.1\r\nHost: localhost\r\n"
    body = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % (8 * MOST_BYTES)
    ends = START + b"Connection: close\r\n\r\n"
    head, rest = exchange(port, large + b"\r\n", body + b"x" * 8 * MOST_BYTES, long + b"\r\n", ends)
    assert head.split()[1] == b"200"
    assert rest.count(b"HTTP/1.1 200 OK") == 3


def test_v1_a_request_head_sent_byte_by_byte_times_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(BoundedProtocol, "head_seconds", 0.5)
    with serving(never_called) as port, socket.create_connection(("127.0.0.1", port), timeout=20) as client:
        client.sendall(START)
        client.settimeout(0.05)
        deadline, answer = time.monotonic() + 20, b""
        while not answer and time.monotonic() < deadline:
            try:
                client.sendall(b"x")
                answer = client.recv(65536)
            except TimeoutError:
                continue
        client.settimeout(20)
        head, _empty, body = (answer + receive_all(client)).partition(b"\r\n\r\n")
    assert_refused((head, body), b"408")


def test_v1_a_connection_without_a_request_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(BoundedProtocol, "head_seconds", 0.2)
    with serving(never_called) as port:
        assert exchange(port) == (b"", b"")


def test_v1_the_time_limit_for_heads_does_not_cut_a_slow_response(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also if the first bytes of the next request have arrived already."""
    monkeypatch.setattr(BoundedProtocol, "head_seconds", 0.1)

    async def slow(scope: object, receive: object, send: Callable[[dict[str, Any]], Awaitable[None]]) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _second in range(5):
            await asyncio.sleep(0.1)
            await send({"type": "http.response.body", "body": b"slow ", "more_body": True})
        await send({"type": "http.response.body", "body": b"end"})

    with serving(slow) as port:
        _head, body = exchange(port, START + b"\r\n", b"GET / HT")
    assert body.count(b"slow ") == 5
    assert b"end" in body


@pytest.mark.parametrize("more", [b"FOO / HTTP/1.1\r\n\r\n", START + b"X: " + b"x" * MOST_BYTES])
def test_v1_a_refusal_is_not_written_into_the_answer_to_an_earlier_request(more: bytes) -> None:
    async def endless(
        scope: object,
        receive: Callable[[], Awaitable[Any]],
        send: Callable[[dict[str, Any]], Awaitable[None]],
    ) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"begun", "more_body": True})
        while (await receive())["type"] != "http.disconnect":
            pass

    with serving(endless) as port, socket.create_connection(("127.0.0.1", port), timeout=20) as client:
        client.sendall(START + b"\r\n")
        answer = b""
        while b"begun" not in answer:
            answer += client.recv(65536)
        client.sendall(more)
        assert b"HTTP/1.1" not in receive_all(client)
    assert answer.count(b"HTTP/1.1") == 1
