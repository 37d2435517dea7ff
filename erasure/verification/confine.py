"""Take from this process, for good, the ability to change files and the database.

A verifier that could write might remove what it should find, or be made to do so. Landlock (Linux 5.13)
refuses every way of changing a file, for this process and all it starts, root included, and cannot be undone.
On a kernel without Landlock no file may grow by a byte (RLIMIT_FSIZE), but files can still be removed. This
is weaker, so the result says which of the two was used.
"""

import ctypes
import errno
import os
import resource
import signal
import sys
from pathlib import Path
from urllib.parse import quote

from django.conf import settings
from django.db import Error, connection

PR_SET_PDEATHSIG, PR_SET_NO_NEW_PRIVS = 1, 38
# From linux/landlock.h; these system call numbers are the same on every architecture.
CREATE_RULESET, RESTRICT_SELF = 444, 446
QUERY_VERSION = 1
# Writing files, and removing and creating entries of every kind (bits 1 and 4 to 12). Later versions of
# Landlock added the rights in the line below.
WRITES = 1 << 1 | sum(1 << bit for bit in range(4, 13))
REFER, TRUNCATE = 1 << 13, 1 << 14

_libc = ctypes.CDLL(None, use_errno=True)


class StillWrites(Exception):
    """This process could still change something, so its result would not be independent."""


def confine() -> str:
    """Give up writing files for good; return the means: "landlock-<version>" or "rlimit".

    Errors: StillWrites if a test write still succeeds.
    """
    sys.dont_write_bytecode = True
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # so that a write past the limit only fails
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    if sys.platform == "linux":
        _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)  # nobody reads the result after the parent has died
        if _libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
            raise StillWrites("the process could gain privileges")
    version = landlock()
    check_write_fails()
    return f"landlock-{version}" if version else "rlimit"


def landlock() -> int:
    """Forbid all changes to files by Landlock; return its version, or 0 if the kernel has none.

    Errors: StillWrites if the kernel has Landlock but a call fails.
    """
    version = landlock_version()
    if version == 0:
        return 0
    handled = WRITES | (REFER if version > 1 else 0) | (TRUNCATE if version > 2 else 0)
    attribute = ctypes.c_uint64(handled)
    ruleset = _libc.syscall(CREATE_RULESET, ctypes.byref(attribute), ctypes.c_size_t(8), 0)
    if ruleset < 0:
        raise StillWrites(os.strerror(ctypes.get_errno()))
    try:
        if _libc.syscall(RESTRICT_SELF, ruleset, 0):  # without rules: nothing is allowed
            raise StillWrites(os.strerror(ctypes.get_errno()))
    finally:
        os.close(ruleset)
    return version


def landlock_version() -> int:
    """Return the kernel's version of Landlock; 0 if it has none, or was started without it."""
    if sys.platform != "linux":
        return 0
    return max(0, int(_libc.syscall(CREATE_RULESET, None, ctypes.c_size_t(0), QUERY_VERSION)))


def check_write_fails() -> None:
    """Try to write a byte into the key directory. Errors: StillWrites if that succeeds."""
    keys = Path(settings.LACUNA_KEYS_DIR)  # does not exist if the keys are in a database
    directory = next(path for path in (keys, *keys.parents) if path.is_dir())
    file = directory / f"attempt-{os.getpid()}"
    try:
        file.write_bytes(b"?")
    except OSError as refusal:
        if refusal.errno in {errno.EACCES, errno.EPERM, errno.EROFS, errno.EFBIG}:
            if refusal.errno == errno.EFBIG:  # the file was created before its first byte was refused
                file.unlink(missing_ok=True)
            return
        raise
    file.unlink()
    raise StillWrites("a file could be written")


def confine_database() -> str:
    """Make the database connection read-only, check that a write fails, and return "read-only".

    Call it before the first query and before `confine`, and leave the connection open. SQLite's readers open
    the shared index of the write-ahead log (-shm) for writing. After `confine` they could not, and if nobody
    else is connected the database could then not be read at all ("attempt to write a readonly database").
    Errors: StillWrites.
    """
    connection.close()
    chosen = connection.settings_dict
    if connection.vendor == "sqlite":
        chosen["NAME"] = f"file:{quote(str(chosen['NAME']))}?mode=ro"
        chosen["OPTIONS"] = {"timeout": 20, "init_command": "PRAGMA query_only=ON"}
    else:
        others = {key: value for key, value in chosen["OPTIONS"].items() if key != "pool"}
        chosen["OPTIONS"] = {**others, "options": "-c default_transaction_read_only=on"}
    with connection.cursor() as cursor:
        try:
            cursor.execute("UPDATE clinic_treehead SET size = size")
        except Error:
            cursor.execute("SELECT COUNT(*) FROM clinic_treehead")
            return "read-only"
    raise StillWrites("the database could be written")
