"""The web server process: uvicorn on the parent's listening socket. The argument is its file descriptor."""

import asyncio
import os
import resource
import signal
import socket
import sys
from pathlib import Path
from types import FrameType

import uvicorn
from django.db import connections
from django.template import Engine
from django.template.loader import get_template
from django.urls import reverse

from erasure.renewal.parent import tell_parent

SHUTDOWN_TIMEOUT = 3  # seconds for open requests; streams end at once (clinic/http/router.py)
FAREWELL = 1.5  # seconds in which a replaced server still answers on the connections it has


class Web(uvicorn.Server):
    """A server that says to its parent when it accepts connections, and can be replaced without a gap."""

    replaced = False

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            signal.signal(signal.SIGUSR1, self.leave)
            tell_parent("ready", os.getpid())

    def leave(self, number: int, frame: FrameType | None) -> None:
        """Stop accepting connections, end the streams, and end when all that was asked is answered."""
        self.replaced = True
        self.config.timeout_graceful_shutdown = None
        signal.raise_signal(signal.SIGTERM)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop; a server that is leaving already and is told again does not wait for its answers."""
        if self.replaced and self.should_exit:
            self.force_exit = True
        super().handle_exit(sig, frame)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop. A replaced server first lets its connections run out.

        A connection that was accepted just now has not brought its request yet, and would be closed without
        an answer.
        """
        if self.replaced:
            for server in self.servers:
                server.close()
            for sock in sockets or []:
                sock.close()
            self.server_state.default_headers.append((b"connection", b"close"))
            await asyncio.sleep(FAREWELL)
        await super().shutdown(sockets)


def main(descriptor: int) -> None:
    """Serve until a signal stops the process. descriptor: of the listening socket."""
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    # Each viewer of a session page needs one open file.
    resource.setrlimit(resource.RLIMIT_NOFILE, (most_open_files(hard, sys.platform), hard))
    config = uvicorn.Config(
        "clinic.asgi:application",
        loop="uvloop",
        http="clinic.http.protocol:BoundedProtocol",
        ws="none",
        lifespan="on",
        log_level="error",
        access_log=False,
        server_header=False,
        proxy_headers=False,  # clinic.audit.context.client_address decides which proxies to trust
        timeout_graceful_shutdown=SHUTDOWN_TIMEOUT,
    )
    config.load()  # imports the application, which sets up Django
    preload()
    from erasure.renewal.processes import add_process  # only now can models be imported

    add_process("web")
    connections.close_all()
    Web(config).run(sockets=[socket.socket(fileno=descriptor)])


def most_open_files(hard: int, system: str) -> int:
    """Return how many files this process may open. hard: the system's limit; system: as sys.platform."""
    # macOS reports no limit, but refuses more than its OPEN_MAX.
    return min(hard, 10240) if system == "darwin" else hard


def preload() -> None:
    """Load every view and template, so that the first request does not wait for them."""
    reverse("home")
    for folder in Engine.get_default().dirs:
        for path in Path(folder).rglob("*.html"):
            get_template(str(path.relative_to(folder)))


if __name__ == "__main__":
    main(int(sys.argv[1]))
