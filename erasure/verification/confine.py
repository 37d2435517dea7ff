"""Taking from this process, for good, the ability to change anything: files first, then the database.

A verifier that could write might repair what it was to find, or be made to. Landlock (Linux 5.13) refuses
every way of changing a file, for this process and all it starts, root included, and cannot be undone. Where
the kernel has none, no file may grow by a byte (RLIMIT_FSIZE), which still leaves unlinking: the weaker
answer is said as what it is.
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
# linux/landlock.h; the numbers of the calls are the same on every architecture.
CREATE_RULESET, RESTRICT_SELF = 444, 446
QUERY_VERSION = 1
# Writing, removing and making of every kind (bits 1 and 4 to 12); bits that later versions added.
WRITES = 1 << 1 | sum(1 << bit for bit in range(4, 13))
REFER, TRUNCATE = 1 << 13, 1 << 14

_libc = ctypes.CDLL(None, use_errno=True)


class StillWrites(Exception):
    """This process could still change something; what it would say is not independent."""


def confine() -> str:
    """Give up writing to any file, now and for ever. Returns what holds it: "landlock-<version>" or "rlimit".

    Errors: StillWrites where an attempt to write succeeds all the same.
    """
    sys.dont_write_bytecode = True
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # a write past the limit is an error then, no death
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    if sys.platform == "linux":
        _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)  # nobody waits for an answer whose asker is dead
        if _libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
            raise StillWrites("the process could gain rights")
    version = landlock()
    attempt()
    return f"landlock-{version}" if version else "rlimit"


def landlock() -> int:
    """Refuse all changes to the file system; returns the kernel's version of Landlock, 0 where it has none.

    Errors: StillWrites where the kernel has it and refuses.
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
        if _libc.syscall(RESTRICT_SELF, ruleset, 0):  # with no rule in it: nothing is allowed
            raise StillWrites(os.strerror(ctypes.get_errno()))
    finally:
        os.close(ruleset)
    return version


def landlock_version() -> int:
    """The kernel's version of Landlock; 0 where it has none, or was started without it."""
    if sys.platform != "linux":
        return 0
    return max(0, int(_libc.syscall(CREATE_RULESET, None, ctypes.c_size_t(0), QUERY_VERSION)))


def attempt() -> None:
    """Try to write a byte beside the keys. Errors: StillWrites where that succeeds."""
    keys = Path(settings.LACUNA_KEYS_DIR)  # not there where the keys are in a database
    beside = next(path for path in (keys, *keys.parents) if path.is_dir())
    place = beside / f"attempt-{os.getpid()}"
    try:
        place.write_bytes(b"?")
    except OSError as refusal:
        if refusal.errno in {errno.EACCES, errno.EPERM, errno.EROFS, errno.EFBIG}:
            if refusal.errno == errno.EFBIG:  # the file was made before its first byte was refused
                place.unlink(missing_ok=True)
            return
        raise
    place.unlink()
    raise StillWrites("a file could be written")


def confine_database() -> str:
    """Open the database for reading only, and show that it refuses a write; returns how.

    Call it before the first query and before `confine`, and leave the connection open: SQLite's readers share
    an index of its log (-shm) that they must be able to open for writing, or a house in which nobody else is
    connected cannot be read at all ("attempt to write a readonly database"). Errors: StillWrites.
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
