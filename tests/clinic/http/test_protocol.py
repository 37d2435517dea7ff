"""What is no request for the server is answered with the headers of every page, before it costs anything."""

import asyncio
import json
import socket
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest

from clinic.http.protocol import LINGER_BYTES, MOST_BYTES, HouseProtocol
from tests.serving import serving

START = b"GET / HTTP/1.1\r\nHost: localhost\r\n"
CHUNKED = b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n"
OURS = (b"cache-control: private, no-store", b"content-security-policy:", b"x-frame-options: DENY")


async def nothing(scope: object, receive: object, send: object) -> None:
    raise AssertionError("no application is asked")


async def reflecting(
    scope: dict[str, Any],
    receive: Callable[[], Awaitable[Any]],
    send: Callable[[dict[str, Any]], Awaitable[None]],
) -> None:
    """Read the body; answer with the headers, as Django would see them."""
    while (message := await receive()).get("more_body"):
        pass
    if message["type"] == "http.disconnect":
        return
    text = json.dumps([[name.decode(), len(value)] for name, value in scope["headers"]])
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": text.encode()})


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with serving(reflecting) as port:
        yield port


def sent(port: int, *pieces: bytes) -> tuple[bytes, bytes]:
    """Send `pieces` for as long as the server takes them; return head and body of all it answers."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as client:
        with suppress(BrokenPipeError, ConnectionResetError):  # refused: the answer has arrived before
            for piece in pieces:
                client.sendall(piece)
        head, _empty, body = received(client).partition(b"\r\n\r\n")
    return head, body


def received(client: socket.socket) -> bytes:
    """All the server sends until it ends the connection."""
    answer = b""
    with suppress(ConnectionResetError):
        while piece := client.recv(65536):
            answer += piece
    return answer


def assert_refused(answer: tuple[bytes, bytes], *statuses: bytes) -> None:
    head, body = answer
    assert head.split()[1] in statuses
    assert b"connection: close" in head
    for header in OURS:
        assert header in head
    assert body.startswith((b"This ", b"The headers "))


@pytest.mark.parametrize(("line", "status"), [(b"FOO / HTTP/1.1", b"501"), (b"GET / \x00\x01", b"400")])
def test_h3_an_unknown_method_gets_our_headers_and_a_sentence(line: bytes, status: bytes) -> None:
    with serving(nothing) as port:
        assert_refused(sent(port, line + b"\r\nHost: localhost\r\n\r\n"), status)


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
def test_v1_a_head_of_64_kb_reaches_no_application(pieces: list[bytes], status: bytes) -> None:
    with serving(nothing) as port:
        assert_refused(sent(port, *pieces), status)


def test_v1_a_header_that_never_ends_is_refused_while_it_comes() -> None:
    with serving(nothing) as port, socket.create_connection(("127.0.0.1", port), timeout=20) as client:
        client.sendall(START + b"X: ")
        taken = 0
        with suppress(BrokenPipeError, ConnectionResetError):
            while taken < 64 * LINGER_BYTES:
                client.sendall(b"x" * 65536)
                taken += 65536
        head, _empty, body = received(client).partition(b"\r\n\r\n")
    assert taken < 64 * LINGER_BYTES
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
def test_v1_what_stands_between_and_behind_chunks_is_bounded_too(port: int, pieces: list[bytes]) -> None:
    assert_refused(sent(port, CHUNKED, *pieces), b"431")


def test_v1_a_trailer_is_no_header_of_the_request(port: int) -> None:
    """A proxy sets X-Forwarded-For among the headers; a trailer comes from whoever asked."""
    trailers = b"\r\n1\r\nx\r\n0\r\nX-Forwarded-For: 1.2.3.4\r\nCookie: a=b\r\n\r\n"
    _head, body = sent(port, CHUNKED + b"Connection: close\r\n" + trailers)
    assert b"transfer-encoding" in body
    assert b"x-forwarded-for" not in body
    assert b"cookie" not in body


def test_v1_just_below_the_bound_a_request_is_answered_and_the_next_one_too(port: int) -> None:
    large = START + b"X: " + b"x" * (MOST_BYTES - 500) + b"\r\n"
    long = b"GET /" + b"x" * (MOST_BYTES - 500) + b" HTTP/1.1\r\nHost: localhost\r\n"
    body = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % (8 * MOST_BYTES)
    ends = START + b"Connection: close\r\n\r\n"
    head, rest = sent(port, large + b"\r\n", body + b"x" * 8 * MOST_BYTES, long + b"\r\n", ends)
    assert head.split()[1] == b"200"
    assert rest.count(b"HTTP/1.1 200 OK") == 3


def test_v1_a_head_that_comes_a_byte_at_a_time_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(HouseProtocol, "head_seconds", 0.5)
    with serving(nothing) as port, socket.create_connection(("127.0.0.1", port), timeout=20) as client:
        client.sendall(START)
        client.settimeout(0.05)
        until, answer = time.monotonic() + 20, b""
        while not answer and time.monotonic() < until:
            try:
                client.sendall(b"x")
                answer = client.recv(65536)
            except TimeoutError:
                continue
        client.settimeout(20)
        head, _empty, body = (answer + received(client)).partition(b"\r\n\r\n")
    assert_refused((head, body), b"408")


def test_v1_a_connection_that_asks_nothing_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(HouseProtocol, "head_seconds", 0.2)
    with serving(nothing) as port:
        assert sent(port) == (b"", b"")


def test_v1_an_answer_that_takes_longer_than_a_head_may_is_not_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first bytes of a next request already wait."""
    monkeypatch.setattr(HouseProtocol, "head_seconds", 0.1)

    async def slow(scope: object, receive: object, send: Callable[[dict[str, Any]], Awaitable[None]]) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _second in range(5):
            await asyncio.sleep(0.1)
            await send({"type": "http.response.body", "body": b"slow ", "more_body": True})
        await send({"type": "http.response.body", "body": b"end"})

    with serving(slow) as port:
        _head, body = sent(port, START + b"\r\n", b"GET / HT")
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
        assert b"HTTP/1.1" not in received(client)
    assert answer.count(b"HTTP/1.1") == 1
