"""The web child: uvicorn on a socket that its parent listens on; run as a module with its descriptor."""

import resource
import socket
import sys
import warnings

import uvicorn

GRACE = 3  # seconds for open requests; streams end at once (clinic/asgi_router.py)


def main(descriptor: int) -> None:
    """Serve until told to stop."""
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))  # each viewer of a session is one
    # WhiteNoise hands Django plain files under ASGI; they are small and the warning says nothing new.
    warnings.filterwarnings("ignore", message="StreamingHttpResponse must consume synchronous iterators")
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
    uvicorn.Server(config).run(sockets=[socket.socket(fileno=descriptor)])


if __name__ == "__main__":
    main(int(sys.argv[1]))
