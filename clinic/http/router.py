"""Which application answers: a route's of settings.ASGI_ROUTES, or Django."""

import asyncio
import signal
import threading
from types import FrameType
from typing import Any

from django.conf import settings
from django.utils.module_loading import import_string

from clinic.http.guard import Receive, Scope, Send, close_connections


class Router:
    """The ASGI application of the whole house. `pages`: Django's, which answers what no route does.

    A route's application may have `close()`: it ends at once what would keep a stopping server waiting.
    """

    def __init__(self, pages: Any) -> None:
        self.pages = pages
        self.routes: dict[str, Any] = {
            prefix: import_string(path) for prefix, path in settings.ASGI_ROUTES.items()
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one connection, or follow the server from its start to its end."""
        if scope["type"] == "http":
            routes = (app for prefix, app in self.routes.items() if scope["path"].startswith(prefix))
            await next(routes, self.pages)(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self.lifespan(receive, send)
        else:
            await send({"type": "websocket.close", "code": 1008})

    async def lifespan(self, receive: Receive, send: Send) -> None:
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
        """End what the routes keep open: a stopping server waits for its answers, and a stream has no end."""
        for app in self.routes.values():
            if close := getattr(app, "close", None):
                close()

    def end_streams_on_signals(self) -> None:
        """End the streams when the server is told to stop, before it begins to wait for them."""
        if threading.current_thread() is not threading.main_thread():
            return
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            before = signal.getsignal(number)

            def handler(signum: int, frame: FrameType | None, before: Any = before) -> None:
                loop.call_soon_threadsafe(self.close)
                if callable(before):
                    before(signum, frame)

            signal.signal(number, handler)
