"""The web server process: uvicorn on the parent's listening socket. The argument is its file descriptor."""

import resource
import socket
import sys
from pathlib import Path

import uvicorn
from django.template import Engine
from django.template.loader import get_template
from django.urls import reverse

SHUTDOWN_TIMEOUT = 3  # seconds for open requests; streams end at once (clinic/http/router.py)


def main(descriptor: int) -> None:
    """Serve until a signal stops the process. descriptor: of the listening socket."""
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    # Each viewer of a session page needs one open file.
    resource.setrlimit(resource.RLIMIT_NOFILE, (most_open_files(hard, sys.platform), hard))
    config = uvicorn.Config(
        "clinic.asgi:application",
        loop="uvloop",
        http="clinic.http.protocol:HouseProtocol",
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
    uvicorn.Server(config).run(sockets=[socket.socket(fileno=descriptor)])


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
