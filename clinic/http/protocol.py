"""The server's answer to what is no HTTP request for it: unknown, unreadable, too large or too slow.

Such a request reaches no application, so uvicorn answers it alone: 400 without any of our headers. It also
has no bound for a request's head, and joins a header that arrives in pieces anew with each piece
(docs/decisions/0013-bounded-heads.md).
"""

import sys
from asyncio import BaseTransport, TimerHandle
from typing import Any, cast

import httptools
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

NO_METHOD = "This method is not known here."
NO_REQUEST = "This is no request that can be read here."
LONG_ADDRESS = "This address is too long."
LARGE_HEAD = "The headers of this request are too large."
SLOW_HEAD = "This request took too long to arrive."

MOST_BYTES = 64 * 1024  # of a request's address, headers and trailers
FIELD_BYTES = 32  # that each header counts for in addition to its name and value, as in RFC 9113, 6.5.2
LINGER_BYTES = 1024 * 1024  # that are still taken and dropped after a refusal


class Unacceptable(Exception):
    """The head of a request is refused. It ends the parser's work on what has arrived."""


class BoundedProtocol(HttpToolsProtocol):
    """uvicorn's protocol with bounds for a request's head, and with our headers on its own answers.

    The answers: 414 and 431 from MOST_BYTES on, 408 for a head that does not arrive in `head_seconds`, 501
    for an unknown method, else 400. Each closes the connection.
    """

    head_seconds = 20.0  # from the connection, or from the first byte of a further request
    linger_seconds = 2.0  # in which a refused client can read the answer before the connection is closed

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.size = 0  # of the present request's address, headers and trailers
        # Bytes since the parser last came to the end of a head, of a piece of a body, or of a request.
        self.unread = 0
        self.in_head = True  # also before the first byte of a request
        self.refused: tuple[int, str] | None = None
        self.timer: TimerHandle | None = None

    def connection_made(self, transport: BaseTransport) -> None:
        """Begin to wait for a request."""
        super().connection_made(cast(Any, transport))
        self._wait_for_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._stop_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse what arrived; refuse a head that is not complete after MOST_BYTES."""
        self.unread += len(data)
        if self.refused:
            if self.unread > LINGER_BYTES:
                self.transport.close()
            return
        if self.in_head and self.timer is None:
            self._wait_for_head()
        super().data_received(data)
        if self.unread >= MOST_BYTES and not self.refused:
            self.refuse(431, LARGE_HEAD)

    def on_message_begin(self) -> None:
        """Begin a request."""
        self.size = 0
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        """Take a piece of the address. Errors: Unacceptable."""
        self._count(len(url), (414, LONG_ADDRESS))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header. A trailer, which follows a body, is dropped. Errors: Unacceptable."""
        self._count(len(name) + len(value) + FIELD_BYTES, (431, LARGE_HEAD))
        # The application may still read the headers then: a trailer must not pass for one of them.
        if self.in_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Pass the request to the application."""
        self.in_head, self.unread = False, 0
        self._stop_timer()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Take a piece of the body."""
        self.unread = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """End the request; another may follow."""
        self.in_head, self.unread = True, 0
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Answer what the parser could not read, or what a method above refused."""
        unknown = isinstance(sys.exc_info()[1], httptools.HttpParserInvalidMethodError)
        self.refuse(*(self.refused or ((501, NO_METHOD) if unknown else (400, NO_REQUEST))))

    def refuse(self, status: int, text: str) -> None:
        """Answer with `status` and `text`, and close the connection once the client could read it.

        Nothing is written if an earlier request has no complete answer: it would be taken for that.
        """
        self.refused, self.unread = (status, text), 0
        self._stop_timer()
        self._unset_keepalive_if_required()
        if not self._is_answerable():
            self.transport.close()
            return
        if self.cycle is not None:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        self.transport.write(_answer(status, text))
        # A connection that is closed while bytes still arrive is reset, and the client may lose the answer.
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.flow.resume_reading()
        self.timer = self.loop.call_later(self.linger_seconds, self.transport.close)

    def _count(self, size: int, refusal: tuple[int, str]) -> None:
        self.size += size
        if self.size >= MOST_BYTES:
            self.refused = refusal
            raise Unacceptable

    def _is_answerable(self) -> bool:
        """Return whether an answer written now is one to the request that is refused."""
        if self.cycle is None or self.cycle.response_complete:
            return True
        return not self.in_head and not self.cycle.response_started and not self.pipeline

    def _wait_for_head(self) -> None:
        self.timer = self.loop.call_later(self.head_seconds, self._end_slow_head)

    def _end_slow_head(self) -> None:
        if self.cycle is not None and not self.cycle.response_complete:
            self._wait_for_head()  # an earlier request is being answered
        elif self.unread:
            self.refuse(408, SLOW_HEAD)
        else:
            self.timer = None
            self.transport.close()

    def _stop_timer(self) -> None:
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None


def _answer(status: int, text: str) -> bytes:
    """Return a complete response with the headers of every page."""
    from clinic.http.guard import response_headers  # the server loads this module before Django is set up

    body = text.encode()
    fields = {"Content-Length": str(len(body)), "Connection": "close"}
    headers = response_headers("text/plain; charset=utf-8", fields)
    return STATUS_LINE[status] + b"".join(b"%b: %b\r\n" % header for header in headers) + b"\r\n" + body
