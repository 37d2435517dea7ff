"""A lock for threads and processes: `flock` on a file that is never renamed, and a thread lock around it.

POSIX record locks won't do. Measured: they grant two holders in one process, and closing any other descriptor
of the file releases them (ERASURE.md).
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


def _reset_locks_in_child() -> None:
    for lock in list(_locks):
        lock._reset_in_child()


os.register_at_fork(after_in_child=_reset_locks_in_child)


class StoreLock:
    """The lock of the store in `directory`. A missing directory is created if `writable`.

    `forked` becomes True in a child process: the parent may have been changing its state while it was copied.
    Errors: KeyStoreDamaged when the lock is taken, if there is no store and `writable` is off.
    """

    def __init__(self, directory: Path, *, writable: bool) -> None:
        self._directory = directory
        self._writable = writable
        self._thread_lock = threading.Lock()
        self._fd = -1
        self.forked = False
        _locks.add(self)

    @contextmanager
    def held(self, *, exclusive: bool) -> Iterator[None]:
        """Hold the lock, exclusively or shared with other readers. Not reentrant."""
        with self._thread_lock:
            if self._fd < 0:
                self._fd = self._open_file()
            try:
                fcntl.flock(self._fd, fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH)
                yield
            finally:
                # Closing is not enough: a child forked meanwhile holds the same lock through its copy.
                fcntl.flock(self._fd, fcntl.LOCK_UN)

    def make_exclusive(self) -> None:
        """Make the lock exclusive. Call it within `held`.

        Another process may take the lock in between, so read again what was read before.
        """
        fcntl.flock(self._fd, fcntl.LOCK_EX)

    @contextmanager
    def closing(self) -> Iterator[None]:
        """Keep this process's other threads out, and close the lock file at the end."""
        with self._thread_lock:
            yield
            self._close()

    def _open_file(self) -> int:
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

    def _reset_in_child(self) -> None:
        """Start with a new thread lock and no open file.

        The child shares the parent's open file, and a thread that exists only in the parent may hold the
        thread lock.
        """
        self._thread_lock = threading.Lock()
        self._close()
        self.forked = True
