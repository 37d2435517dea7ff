"""A proxy between a browser and a server, which a test can cut, as in a train that enters a tunnel."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

PIECE = 64 * 1024


class Line:
    """Passes connections on to a server's port. A cut closes all of them and refuses new ones.

    sent: bytes passed on to the server. attempts: connections that were refused during cuts.
    """

    def __init__(self, port: int) -> None:
        self.server_port = port
        self.sent = self.attempts = 0
        self._is_whole = threading.Event()
        self._is_whole.set()
        self._is_silent = False
        self._cut_at: int | None = None
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._listen, daemon=True).start()

    @property
    def is_cut(self) -> bool:
        return not self._is_whole.is_set()

    def cut_after(self, count: int, *, silently: bool = False) -> None:
        """Cut it once `count` more bytes were passed on to the server.

        silently: the connections stay open, and what is sent over them is thrown away.
        """
        self._cut_at, self._is_silent = self.sent + count, silently

    def mend(self) -> None:
        self._close_all()
        self._is_whole.set()

    def end(self) -> None:
        self._listener.close()
        self._close_all()

    def _cut(self) -> None:
        self._cut_at = None
        self._is_whole.clear()
        if not self._is_silent:
            self._close_all()

    def _close_all(self) -> None:
        with self._lock:
            for end in self._open:
                with suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
                end.close()
            self._open.clear()

    def _listen(self) -> None:
        while True:
            try:
                near, _address = self._listener.accept()
            except OSError:  # the listener was closed
                return
            if self.is_cut:
                self.attempts += 1
                near.close()
                continue
            far = socket.create_connection(("127.0.0.1", self.server_port))
            with self._lock:
                self._open |= {near, far}
            for ends in ((near, far, True), (far, near, False)):
                threading.Thread(target=self._pass_on, args=ends, daemon=True).start()

    def _pass_on(self, source: socket.socket, target: socket.socket, up: bool) -> None:
        with suppress(OSError):
            while data := source.recv(PIECE):
                if self.is_cut:
                    continue
                target.sendall(data)
                if up:
                    self.sent += len(data)
                    if self._cut_at is not None and self.sent >= self._cut_at:
                        self._cut()
        for end in (source, target):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


@contextmanager
def line_to(port: int) -> Iterator[Line]:
    """A line to a server's port. It is closed at the end of the block."""
    line = Line(port)
    try:
        yield line
    finally:
        line.end()
