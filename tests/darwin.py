"""A stand-in for macOS: this Python without what only Linux has, and with the name of the other system.

As `sitecustomize` it is imported before everything else, in every process of a house (`disguised`).
"""

import ctypes
import fcntl
import os
import resource
import select
import signal
import sys
import sysconfig
import types
from pathlib import Path

LINUX_ONLY = {
    os: ("fdatasync", "posix_fadvise", "posix_fallocate", "memfd_create", "pipe2", "splice", "O_TMPFILE"),
    signal: ("sigtimedwait", "sigwaitinfo"),
    select: ("epoll",),
    resource: ("prlimit", "RLIMIT_RTPRIO"),
    fcntl: ("F_SETPIPE_SZ", "F_ADD_SEALS"),
}


class Libc(ctypes.CDLL):
    """The C library without the calls that only Linux has."""

    def __getattr__(self, name: str) -> object:
        if name in {"prctl", "syscall"}:
            raise AttributeError(name)
        return super().__getattr__(name)


def become() -> None:
    sysconfig.get_config_vars()  # reads a file that is named after the system
    for module, names in LINUX_ONLY.items():
        for name in names:
            if hasattr(module, name):
                delattr(module, name)
    ctypes.CDLL = Libc  # type: ignore[misc]
    # Part of macOS's standard library, which urllib asks for proxies.
    proxies = types.ModuleType("_scproxy")
    proxies._get_proxy_settings = dict  # type: ignore[attr-defined]
    proxies._get_proxies = dict  # type: ignore[attr-defined]
    sys.modules["_scproxy"] = proxies
    sys.platform = "darwin"


def disguised(directory: Path) -> str:
    """Return a PYTHONPATH with which every process believes itself on macOS; `directory` is for its use."""
    (directory / "sitecustomize.py").write_text(Path(__file__).read_text() + "\n\nbecome()\n")
    return str(directory)
