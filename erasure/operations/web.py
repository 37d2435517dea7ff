"""The web child: uvicorn on a socket that its parent listens on; run as a module with its descriptor."""

import resource
import socket
import sys
from pathlib import Path

import uvicorn
from django.template import Engine
from django.template.loader import get_template
from django.urls import reverse

GRACE = 3  # seconds for open requests; streams end at once (clinic/http/router.py)


def main(descriptor: int) -> None:
    """Serve until told to stop."""
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    # Each viewer of a session is one open file.
    resource.setrlimit(resource.RLIMIT_NOFILE, (most_open_files(hard, sys.platform), hard))
    config = uvicorn.Config(
        "clinic.asgi:application",
        loop="uvloop",
        http="httptools",
        ws="none",
        lifespan="on",
        log_level="error",
        access_log=False,
        server_header=False,
        proxy_headers=False,  # whose word counts is clinic.audit.context.client_address's to say
        timeout_graceful_shutdown=GRACE,
    )
    config.load()  # the application: Django is set up from here on
    warm()
    uvicorn.Server(config).run(sockets=[socket.socket(fileno=descriptor)])


def most_open_files(hard: int, system: str) -> int:
    """How many files this process may open at once. hard: the system's limit; system: as sys.platform."""
    # macOS says that there is no limit, and refuses more than its OPEN_MAX.
    return min(hard, 10240) if system == "darwin" else hard


def warm() -> None:
    """Load every view and every template now: the first person to come would wait for them."""
    reverse("home")
    for folder in Engine.get_default().dirs:
        for path in Path(folder).rglob("*.html"):
            get_template(str(path.relative_to(folder)))


if __name__ == "__main__":
    main(int(sys.argv[1]))
