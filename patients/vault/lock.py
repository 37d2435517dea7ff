"""One lock for threads and processes: `flock` on a file that is never renamed, and a thread lock around it.

POSIX record locks won't do: measured, they grant two holders in one process, and closing any other descriptor
of the file drops them (ERASURE.md).
"""

import fcntl
import os
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from clinic.durable import make_directory
from patients.vault.keys import KeyStoreDamaged

_locks: "weakref.WeakSet[StoreLock]" = weakref.WeakSet()


def _in_child() -> None:
    for lock in list(_locks):
        lock._begin_in_child()


os.register_at_fork(after_in_child=_in_child)


class StoreLock:
    """The lock of the store at `directory`, which is made if `writable`.

    `forked` becomes True in a child: what its maker knew may have been copied in mid-change.
    Errors: KeyStoreDamaged when taken where there is no store and none may be made.
    """

    def __init__(self, directory: Path, *, writable: bool) -> None:
        self._directory = directory
        self._writable = writable
        self._threads = threading.Lock()
        self._fd = -1
        self.forked = False
        _locks.add(self)

    @contextmanager
    def held(self, *, exclusive: bool) -> Iterator[None]:
        """Hold the lock: alone, or together with others that only read. Not reentrant."""
        with self._threads:
            if self._fd < 0:
                self._fd = self._opened()
            try:
                fcntl.flock(self._fd, fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH)
                yield
            finally:
                # Said, not left to closing: a child forked meanwhile holds the same lock through its copy.
                fcntl.flock(self._fd, fcntl.LOCK_UN)

    def make_exclusive(self) -> None:
        """Within `held`: hold it alone from here on. Others may come between; read anew what was read."""
        fcntl.flock(self._fd, fcntl.LOCK_EX)

    @contextmanager
    def closing(self) -> Iterator[None]:
        """Keep this process's threads out, and give the file back at the end."""
        with self._threads:
            yield
            self._close()

    def _opened(self) -> int:
        path = self._directory / "lock"
        if self._writable:
            make_directory(self._directory)
            return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            raise KeyStoreDamaged("there is no key store here") from None

    def _close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
        self._fd = -1

    def _begin_in_child(self) -> None:
        """The file description is the parent's, and a thread that is not here may hold the thread lock."""
        self._threads = threading.Lock()
        self._close()
        self.forked = True
