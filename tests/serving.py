"""Run an ASGI application in a real server thread, and read from it over HTTP and server-sent events."""

import asyncio
import http.client
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import uvicorn
import uvloop
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.test import Client

from clinic.accounts.models import User
from clinic.http.guard import close_connections
from clinic.http.protocol import BoundedProtocol
from clinic.http.router import Router
from erasure.live.app import Live

PATIENCE = 60.0  # timeout of requests in seconds; no test that passes comes near it


def whole_application() -> Router:
    """The whole application as production serves it: pages, streams, pictures, static files."""
    app = Router(get_asgi_application())
    # A new one: the module's own stays closed once a test has closed it.
    app.routes["/live/"] = app.routes["/bed/live/"] = Live()
    return app


@contextmanager
def serving(app: Any, *, send_buffer: int = 0) -> Iterator[int]:
    """Serve `app`; yield its port. send_buffer: bytes of the kernel's send buffer, 0 for the default."""
    listening = socket.socket()
    if send_buffer:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, send_buffer)
    listening.bind(("127.0.0.1", 0))
    listening.listen(128)
    config = uvicorn.Config(
        app, loop="uvloop", http=BoundedProtocol, ws="none", lifespan="off", log_level="error"
    )
    server = uvicorn.Server(config)
    loop = uvloop.new_event_loop()

    close = getattr(app, "close", lambda: None)

    async def serve() -> None:
        await server.serve(sockets=[listening])
        # Close again, as ASGI's lifespan shutdown does: a request answered after the close in `finally` below
        # may have started a task that would outlive this loop.
        close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    def run() -> None:
        loop.run_until_complete(serve())
        loop.close()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield listening.getsockname()[1]
    finally:
        loop.call_soon_threadsafe(close)
        server.should_exit = True
        thread.join(PATIENCE)
        close_connections()
        assert not thread.is_alive()


def cookie_of(user: User) -> str:
    """Sign `user` in; return the Cookie header of their session."""
    client = Client()
    client.force_login(user, backend=settings.AUTHENTICATION_BACKENDS[0])
    return f"{settings.SESSION_COOKIE_NAME}={client.cookies[settings.SESSION_COOKIE_NAME].value}"


def ask(
    port: int, path: str, cookie: str = "", method: str = "GET", **headers: str
) -> http.client.HTTPResponse:
    """Send one request; return the response, whose body has not been read yet."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    connection.request(method, path, headers={**({"Cookie": cookie} if cookie else {}), **headers})
    return connection.getresponse()


@dataclass
class ServerSentEvent:
    """One server-sent event."""

    event: str = "message"
    id: int | None = None
    data: Any = None


@dataclass
class Stream:
    """One viewer's event stream of a run; run is None for a stream of several runs.

    Use as a context manager; leaving it closes the connection.
    """

    port: int
    run: UUID | None
    cookie: str
    query: str = ""
    headers: dict[str, str] = field(default_factory=dict)

    def __enter__(self) -> "Stream":
        path = f"/live/{self.run}/" if self.run else "/live/"
        self.answer = ask(self.port, path + self.query, self.cookie, **self.headers)
        assert self.answer.status == 200, self.answer.read()
        return self

    def __exit__(self, *_exception: object) -> None:
        self.answer.close()

    def lines(self) -> Iterator[str]:
        """Yield each line as it arrives, until the server ends the stream."""
        while line := self.answer.readline():
            yield line.decode().rstrip("\n")

    def events(self) -> Iterator[ServerSentEvent]:
        """Yield each event as it arrives, without the stream's comments."""
        event = ServerSentEvent()
        for line in self.lines():
            name, _, value = line.partition(": ")
            if name == "id":
                event.id = int(value)
            elif name == "event":
                event.event = value
            elif name == "data":
                event.data = json.loads(value)
            elif line == "" and event.data is not None:
                yield event
                event = ServerSentEvent()

    def take(self, count: int) -> list[ServerSentEvent]:
        """The next `count` events."""
        events = self.events()
        return [next(events) for _ in range(count)]
