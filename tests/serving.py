"""An ASGI application behind a real server in a thread, and clients that read from it."""

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
from clinic.http.protocol import HouseProtocol
from clinic.http.router import Router
from erasure.live.app import Live

PATIENCE = 60.0  # seconds: far beyond what anything here takes; a test that needs it has failed


def whole_house() -> Router:
    """Pages, streams, pictures, static files: all that a house answers, as one application."""
    app = Router(get_asgi_application())
    app.routes["/live/"] = Live()  # the one of the module stays closed once a test has closed it
    return app


@contextmanager
def serving(app: Any, *, send_buffer: int = 0) -> Iterator[int]:
    """Serve `app` on a port of its own; yield it. send_buffer: bytes the kernel keeps of an answer."""
    listening = socket.socket()
    if send_buffer:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, send_buffer)
    listening.bind(("127.0.0.1", 0))
    listening.listen(128)
    config = uvicorn.Config(
        app, loop="uvloop", http=HouseProtocol, ws="none", lifespan="off", log_level="error"
    )
    server = uvicorn.Server(config)
    loop = uvloop.new_event_loop()

    close = getattr(app, "close", lambda: None)

    async def serve() -> None:
        await server.serve(sockets=[listening])
        # As the end of a lifespan does: a request that was answered after the call below may have begun
        # something that would outlive this loop.
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
    """Sign `user` in and return the Cookie header of their browser."""
    client = Client()
    client.force_login(user, backend=settings.AUTHENTICATION_BACKENDS[0])
    return f"{settings.SESSION_COOKIE_NAME}={client.cookies[settings.SESSION_COOKIE_NAME].value}"


def ask(
    port: int, path: str, cookie: str = "", method: str = "GET", **headers: str
) -> http.client.HTTPResponse:
    """Send one request and return the answer, its body still to be read."""
    asking = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    asking.request(method, path, headers={**({"Cookie": cookie} if cookie else {}), **headers})
    return asking.getresponse()


@dataclass
class Told:
    """One server-sent event."""

    event: str = "message"
    id: int | None = None
    data: Any = None


@dataclass
class Stream:
    """A viewer: reads events until it has enough, then goes away."""

    port: int
    run: UUID
    cookie: str
    query: str = ""
    headers: dict[str, str] = field(default_factory=dict)

    def __enter__(self) -> "Stream":
        self.answer = ask(self.port, f"/live/{self.run}/{self.query}", self.cookie, **self.headers)
        assert self.answer.status == 200, self.answer.read()
        return self

    def __exit__(self, *_exception: object) -> None:
        self.answer.close()

    def lines(self) -> Iterator[str]:
        """Each line as it comes, until the server ends the stream."""
        while line := self.answer.readline():
            yield line.decode().rstrip("\n")

    def events(self) -> Iterator[Told]:
        """Each event as it comes, without comments."""
        told = Told()
        for line in self.lines():
            name, _, value = line.partition(": ")
            if name == "id":
                told.id = int(value)
            elif name == "event":
                told.event = value
            elif name == "data":
                told.data = json.loads(value)
            elif line == "" and told.data is not None:
                yield told
                told = Told()

    def take(self, count: int) -> list[Told]:
        """The next `count` events."""
        events = self.events()
        return [next(events) for _ in range(count)]
