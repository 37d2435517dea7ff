"""Imitates macOS: removes from Python what exists only on Linux, and sets `sys.platform` to "darwin".

`install_imitation` makes it the module `sitecustomize`, which Python imports before everything else.
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
    """The C library without the functions that only Linux has."""

    def __getattr__(self, name: str) -> object:
        if name in {"prctl", "syscall"}:
            raise AttributeError(name)
        return super().__getattr__(name)


def imitate_macos() -> None:
    sysconfig.get_config_vars()  # cached now: it reads a file that is named after the real system
    for module, names in LINUX_ONLY.items():
        for name in names:
            if hasattr(module, name):
                delattr(module, name)
    ctypes.CDLL = Libc  # type: ignore[misc]
    # A module of Python on macOS; urllib reads the proxy settings from it.
    proxies = types.ModuleType("_scproxy")
    proxies._get_proxy_settings = dict  # type: ignore[attr-defined]
    proxies._get_proxies = dict  # type: ignore[attr-defined]
    sys.modules["_scproxy"] = proxies
    sys.platform = "darwin"


def install_imitation(directory: Path) -> str:
    """Write this file to `directory` as sitecustomize.py; return a PYTHONPATH with which it is imported."""
    (directory / "sitecustomize.py").write_text(Path(__file__).read_text() + "\n\nimitate_macos()\n")
    return str(directory)
