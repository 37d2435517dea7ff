"""The page that is shown while the demonstration is prepared. It shows the current step, and reloads itself.

The server of the clinic cannot answer yet: its database is being made. This one has no database, no session
and no static files, and answers every path alike. It uses the socket on which the clinic listens later.
"""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

from django.conf import settings
from django.template.loader import render_to_string
from django.utils import translation
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation.trans_real import parse_accept_lang_header

STYLE = "/preparing.css"
STYLE_FILE = Path(__file__).parent / "static" / "preparing.css"
REFRESH = 2  # seconds after which the page reloads itself
SILENCE = 1.0  # seconds after which a connection that sends no request is closed
# The steps before the clinic opens, in their order.
DATABASE, PEOPLE, PAST_NIGHTS = range(3)
STEPS: tuple[Promise, ...] = (
    _("The database is made."),
    _("People, rooms and equipment move in."),
    _("The first nights are erased, so that their certificates are true."),
)
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


@dataclass
class Preparation:
    """How far the preparation is. step: index in STEPS of the current step."""

    step: int = DATABASE

    def page(self, accept_language: str) -> str:
        """Return the page in the language that the browser prefers."""
        language = language_of(accept_language)
        steps = [(text, index < self.step, index == self.step) for index, text in enumerate(STEPS)]
        with translation.override(language):
            return render_to_string(
                "erasure/demo/preparing.html", {"steps": steps, "language": language, "style": STYLE}
            )


def language_of(accept_language: str) -> str:
    """Return which of our languages an Accept-Language header prefers."""
    for wanted, _quality in parse_accept_lang_header(accept_language):
        try:
            return translation.get_supported_language_variant(wanted)
        except LookupError:
            continue
    return settings.LANGUAGE_CODE


class Handler(BaseHTTPRequestHandler):
    """Answers 503 and the page, or its style sheet."""

    preparation: Preparation
    timeout = SILENCE

    def do_GET(self) -> None:
        if self.path == STYLE:
            self.answer(200, "text/css; charset=utf-8", STYLE_FILE.read_bytes(), {})
            return
        page = self.preparation.page(self.headers.get("Accept-Language", ""))
        refresh = {"Refresh": str(REFRESH), "Retry-After": str(REFRESH)}
        self.answer(503, "text/html; charset=utf-8", page.encode(), refresh)

    do_HEAD = do_POST = do_GET

    def answer(self, status: int, content_type: str, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {**HEADERS, **headers, "Content-Type": content_type}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def version_string(self) -> str:
        return "Lacuna"

    def log_message(self, *args: Any) -> None:
        """Log nothing."""


class Server(ThreadingHTTPServer):
    """Answers on a socket that listens already."""

    daemon_threads = False  # closing waits for them: the caller forks next, and must have one thread

    def __init__(self, listener: socket.socket, preparation: Preparation) -> None:
        handler = type("PreparationHandler", (Handler,), {"preparation": preparation})
        super().__init__(listener.getsockname()[:2], handler, bind_and_activate=False)
        self.socket.close()
        self.socket = listener.dup()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: a browser that leaves early is no event."""


@contextmanager
def waiting_page(listener: socket.socket | None) -> Iterator[Preparation]:
    """Answer with the waiting page on `listener` until the block ends; not at all if it is None.

    After the block, all threads of the page have ended, and new connections wait in the socket for the server
    of the clinic.
    """
    preparation = Preparation()
    if listener is None:
        yield preparation
        return
    server = Server(listener, preparation)
    poll_seconds = 0.05
    thread = Thread(target=server.serve_forever, args=[poll_seconds])
    thread.start()
    try:
        yield preparation
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
