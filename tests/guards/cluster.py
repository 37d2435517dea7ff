"""A PostgreSQL server for the length of a run, for the tests that SQLite skips."""

import os
import pwd
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def _programs() -> Path | None:
    """The newest PostgreSQL's directory of programs."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[4]))
    if found:
        return found[-1].parent
    beside = shutil.which("initdb")
    return Path(beside).parent if beside else None


@contextmanager
def cluster(place: Path) -> Iterator[str]:
    """Yield the address of a fresh server that writes to `place`; "" where PostgreSQL is not installed."""
    programs = _programs()
    if programs is None:
        yield ""
        return
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    before: list[str] = []
    if os.geteuid() == 0:  # PostgreSQL refuses to run as root
        owner = pwd.getpwnam("postgres")
        os.chown(place, owner.pw_uid, owner.pw_gid)
        before = ["runuser", "-u", "postgres", "--"]
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    data, log = place / "data", place / "log"
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c max_connections=200"
    subprocess.run(  # noqa: S603 - our own command line
        [*before, str(programs / "initdb"), "-A", "trust", "-U", "postgres", "-E", "UTF8", "-D", str(data)],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    start = [*before, str(programs / "pg_ctl"), "-D", str(data), "-l", str(log), "-w"]
    subprocess.run([*start, "-o", options, "start"], check=True, stdout=subprocess.DEVNULL)  # noqa: S603
    try:
        yield f"postgresql://postgres@127.0.0.1:{port}/postgres"
    finally:
        subprocess.run([*start, "-m", "immediate", "stop"], check=False, stdout=subprocess.DEVNULL)  # noqa: S603
        shutil.rmtree(place, ignore_errors=True)
