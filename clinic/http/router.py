"""The root ASGI application: it passes a request to an application of settings.ASGI_ROUTES or to Django."""

import asyncio
import signal
import threading
from contextlib import suppress
from types import FrameType
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.utils.module_loading import import_string

from clinic.http.content_types import check_content_type
from clinic.http.guard import (
    LateForm,
    Message,
    Receive,
    Refused,
    Scope,
    Send,
    answer,
    answer_refusal,
    close_connections,
)

FAILED = "Something went wrong here. It has been noted."


def with_fields(scope: Scope, receive: Receive, fields: list[tuple[str, str]]) -> tuple[Scope, Receive]:
    """Return a request whose body was read, with these fields as its body instead."""
    body = urlencode(fields).encode()
    about_body = {
        b"content-type": b"application/x-www-form-urlencoded",
        b"content-length": str(len(body)).encode(),
        b"transfer-encoding": None,
    }
    headers = [(name, value) for name, value in scope["headers"] if name.lower() not in about_body]
    headers += [(name, value) for name, value in about_body.items() if value is not None]
    first: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive_fields() -> Message:
        return first.pop() if first else await receive()

    return {**scope, "headers": headers}, receive_fields


class Router:
    """The root ASGI application. pages: Django's ASGI application, for all requests that match no route.

    A route's application may have a method `close()`, which ends its open streams at once: a server that
    stops waits for its open responses, and a stream does not end by itself.
    """

    def __init__(self, pages: Any) -> None:
        self.pages = pages
        self.routes: dict[str, Any] = {
            prefix: import_string(path) for prefix, path in settings.ASGI_ROUTES.items()
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or handle the server's start and stop (scope "lifespan").

        WebSockets are refused.
        """
        if scope["type"] == "http":
            await self.http(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self.lifespan(receive, send)
        else:
            await send({"type": "websocket.close", "code": 1008})

    async def http(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; an error that no application answered gets a 500 with our headers.

        The error is raised again, so that the server logs it.
        """
        routes = (app for prefix, app in self.routes.items() if scope["path"].startswith(prefix))
        head = scope["method"] == "HEAD"
        try:
            check_content_type(scope["headers"])
            await next(routes, self.pages)(scope, receive, send)
        except LateForm as form:
            await self.pages(*with_fields(scope, receive, form.fields), send)
        except Refused as refusal:
            await answer_refusal(send, refusal, head=head)
        except Exception:
            with suppress(RuntimeError):  # the answer has begun already
                await answer(send, 500, FAILED.encode(), head=head)
            raise

    async def lifespan(self, receive: Receive, send: Send) -> None:
        """Handle the ASGI lifespan messages until the server stops."""
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                self.end_streams_on_signals()
                await send({"type": "lifespan.startup.complete"})
            elif message["type"] == "lifespan.shutdown":
                self.close()
                await asyncio.to_thread(close_connections)
                await send({"type": "lifespan.shutdown.complete"})
                return

    def close(self) -> None:
        """Call `close()` of every route's application that has it."""
        for app in self.routes.values():
            if close := getattr(app, "close", None):
                close()

    def end_streams_on_signals(self) -> None:
        """Install signal handlers that call `close` when the server is asked to stop.

        The "lifespan.shutdown" message would be too late: the server sends it after it has waited for the
        streams. Python allows signal handlers in the main thread only; in other threads this does nothing.
        """
        if threading.current_thread() is not threading.main_thread():
            return
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            previous = signal.getsignal(number)

            def handler(signum: int, frame: FrameType | None, previous: Any = previous) -> None:
                loop.call_soon_threadsafe(self.close)
                if callable(previous):
                    previous(signum, frame)

            signal.signal(number, handler)
