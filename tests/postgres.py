"""A temporary PostgreSQL cluster for tests: it has no TCP port, and ends with the process that started it.

    python -m tests.postgres COMMAND...

starts a cluster, sets LACUNA_DATABASE to it and executes COMMAND. docs/decisions/0008 gives the reasons.
"""

import locale
import os
import pwd
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from tests import watcher

PROGRAMS = ("initdb", "postgres", "pg_isready", "pg_dump", "pg_restore", "pg_basebackup", "psql")
OLDEST = 14  # the oldest version that Django 5.2 supports
# Where systems install these programs; most do not put the server's on PATH.
DIRECTORIES = (
    "/usr/lib/postgresql/*/bin",  # Debian, Ubuntu
    "/usr/pgsql-*/bin",  # PostgreSQL's own packages for Fedora and its kin
    "/opt/homebrew/opt/postgresql*/bin",
    "/usr/local/opt/postgresql*/bin",
    "/home/linuxbrew/.linuxbrew/opt/postgresql*/bin",
    "/Applications/Postgres.app/Contents/Versions/*/bin",
)
LONGEST_SOCKET = 103  # greatest length in bytes of a Unix socket's path on macOS; Linux allows 107
PATIENCE = 60.0  # seconds that a server has to start
# Faster, and safe here: the data are not needed after a crash of the machine.
THROW_AWAY = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


class NoPostgres(Exception):
    """No usable PostgreSQL is installed, or it does not start."""


@dataclass(frozen=True)
class Account:
    """A user of the system. PostgreSQL refuses to run as root."""

    uid: int
    gid: int


@dataclass
class Cluster:
    """A running cluster. `directory` has its data, log and socket; its superuser is `postgres`."""

    directory: Path
    binaries: Path
    account: Account | None
    command: list[object]
    server: "subprocess.Popen[bytes]"

    @property
    def data(self) -> Path:
        return self.directory / "data"

    def address(self, database: str = "postgres") -> str:
        """The URL of a database of this cluster, for LACUNA_DATABASE."""
        return f"postgresql://postgres@{quote(str(self.directory), safe='')}/{database}"

    def environment(self) -> dict[str, str]:
        """Environment variables for a command that uses this cluster. PATH begins with its programs.

        The caller's own PG* variables are left out, because they may name another server. PGHOST is a
        directory without a server, so that a program that names no host fails instead of using a default.
        """
        return {
            **_own_environment(),
            "PATH": os.pathsep.join([str(self.binaries), os.environ.get("PATH", os.defpath)]),
            "PGHOST": str(self.directory / "name-your-server"),
            "LACUNA_DATABASE": self.address(),
        }

    def run(self, program: str, *arguments: object) -> None:
        """Run one of PostgreSQL's programs on this cluster, as the server's system user."""
        command = [self.binaries / program, "-h", self.directory, "-U", "postgres", *map(str, arguments)]
        subprocess.run(  # noqa: S603 - our own words
            command,
            check=True,
            stdout=subprocess.DEVNULL,
            cwd=self.directory,
            **_as(self.account),  # type: ignore[call-overload]
        )

    def stop_server(self) -> None:
        """Stop the server at once, even with open connections. `start_again` keeps its data."""
        self.server.send_signal(signal.SIGQUIT)
        try:
            self.server.wait(watcher.GRACE)
        except subprocess.TimeoutExpired:
            os.killpg(self.server.pid, signal.SIGKILL)
            self.server.wait()
        watcher.forget_group(self.server.pid)

    def start_again(self) -> None:
        """Start the server again at the same address. Errors: NoPostgres."""
        self.server = _begin(self.command, self.directory / "log", self.account, signal.SIGQUIT)
        self.wait_until_ready()

    def wait_until_ready(self) -> None:
        """Return when the server accepts connections. Errors: NoPostgres if it does not start."""
        deadline = time.monotonic() + PATIENCE
        ready = [self.binaries / "pg_isready", "-q", "-h", self.directory]
        while subprocess.run(ready, env=_own_environment(), check=False).returncode:  # noqa: S603
            if self.server.poll() is not None or time.monotonic() > deadline:
                log = (self.directory / "log").read_text(errors="replace")
                self.stop()
                raise NoPostgres(f"PostgreSQL did not start. Its log:\n{log}")
            time.sleep(0.02)

    def stop(self) -> None:
        """Stop the server at once, and delete its directory."""
        if self.server.poll() is None:
            self.stop_server()
        shutil.rmtree(self.directory)
        watcher.forget_directory(self.directory)


def find_binaries() -> Path:
    """The program directory of the newest PostgreSQL that has all PROGRAMS. Errors: NoPostgres."""
    found = [path for pattern in DIRECTORIES for path in Path("/").glob(pattern.removeprefix("/"))]
    if config := shutil.which("pg_config"):
        printed = subprocess.run([config, "--bindir"], capture_output=True, text=True, check=False)  # noqa: S603
        found.append(Path(printed.stdout.strip()))
    if server := shutil.which("postgres"):
        found.append(Path(server).resolve().parent)
    whole = [
        directory for directory in found if all(os.access(directory / name, os.X_OK) for name in PROGRAMS)
    ]
    versions = {directory: version for directory in whole if (version := _version(directory)) >= OLDEST}
    if not versions:
        raise NoPostgres(f"No PostgreSQL server of version {OLDEST} or newer is installed.")
    return max(versions, key=lambda directory: versions[directory])


def _version(binaries: Path) -> int:
    command = [binaries / "postgres", "--version"]
    printed = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    found = re.search(r"\b(\d+)", printed.stdout)
    return int(found[1]) if found else 0


def find_account() -> Account | None:
    """The system user to run the server as; None for the current one, unless that is root.

    Errors: NoPostgres.
    """
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "_postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(entry.pw_uid, entry.pw_gid)
    raise NoPostgres("PostgreSQL does not run as root, and there is neither a user postgres nor nobody.")


def _own_environment() -> dict[str, str]:
    """This process's environment without the PG* variables, which may name another server."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PG")}


def _as(account: Account | None) -> dict[str, object]:
    """Keyword arguments with which subprocess runs a command as `account`."""
    if account is None:
        return {"env": _own_environment()}
    return {"env": _own_environment(), "user": account.uid, "group": account.gid, "extra_groups": []}


def _new_directory(account: Account | None) -> Path:
    """A directory that only the account can enter, with a path short enough for a Unix socket."""
    parent = tempfile.gettempdir()
    longest = LONGEST_SOCKET - len(os.fsencode("/lacuna-postgres-12345678/.s.PGSQL.5432"))
    # The account may not be allowed to enter root's directory for temporary files.
    if account is not None or len(os.fsencode(parent)) > longest:
        parent = "/tmp"  # noqa: S108 - mkdtemp makes a directory of its own there
    directory = Path(tempfile.mkdtemp(prefix="lacuna-postgres-", dir=parent))
    watcher.watch_directory(directory)
    if account is not None:
        os.chown(directory, account.uid, account.gid)
    return directory


def _locale() -> str:
    """The name of an available UTF-8 locale. C.UTF-8 exists on every Linux, but not on every macOS."""
    before = locale.setlocale(locale.LC_CTYPE)
    try:
        for name in ("C.UTF-8", "en_US.UTF-8"):
            with suppress(locale.Error):
                return locale.setlocale(locale.LC_CTYPE, name)
    finally:
        locale.setlocale(locale.LC_CTYPE, before)
    return "C"


def start(settings: Mapping[str, str] = THROW_AWAY) -> Cluster:
    """Create and start a cluster. It runs until `stop`, or until this process ends. Errors: NoPostgres."""
    binaries, account = find_binaries(), find_account()
    directory = _new_directory(account)
    data, log = directory / "data", directory / "log"
    initdb = [binaries / "initdb", "-D", data, "-A", "trust", "-U", "postgres", "-E", "UTF8"]
    _run_to_its_end([*initdb, f"--locale={_locale()}", "--no-sync", "--no-instructions"], log, account)
    more = {
        "listen_addresses": "",
        "unix_socket_directories": str(directory),
        "max_connections": "300",  # each pytest worker and each process that it starts has a pool
        "timezone": "UTC",
    }
    options = [f"--{name}={value}" for name, value in {**more, **settings}.items()]
    command = [binaries / "postgres", "-D", data, *options]
    server = _begin(command, log, account, signal.SIGQUIT)
    cluster = Cluster(directory, binaries, account, command, server)
    cluster.wait_until_ready()
    return cluster


def _begin(
    command: list[object], log: Path, account: Account | None, stop: signal.Signals
) -> "subprocess.Popen[bytes]":
    with log.open("ab") as output:
        process = subprocess.Popen(  # noqa: S603 - our own words
            [str(word) for word in command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            cwd=log.parent,
            **_as(account),  # type: ignore[call-overload]
        )
    watcher.watch_group(process.pid, stop)
    return process


def _run_to_its_end(command: list[object], log: Path, account: Account | None) -> None:
    process = _begin(command, log, account, signal.SIGKILL)
    code = process.wait()
    watcher.forget_group(process.pid)
    if code:
        output = log.read_text(errors="replace")
        shutil.rmtree(log.parent)
        raise NoPostgres(f"{command[0]} failed. Its output:\n{output}")


@contextmanager
def cluster(settings: Mapping[str, str] = THROW_AWAY) -> Iterator[Cluster]:
    """A cluster that is stopped at the end of the block."""
    running = start(settings)
    try:
        yield running
    finally:
        running.stop()


def main(command: list[str]) -> None:
    """Start a cluster and replace this process by `command` (exec).

    The process number stays the same, so the watcher ends the cluster when the command has ended.
    """
    if not command:
        sys.exit("Usage: python -m tests.postgres COMMAND...")
    try:
        environment = start().environment()
    except NoPostgres as error:
        sys.exit(f"{error}\n`python -m tests.packages` says how to install it.")
    try:
        os.execvpe(command[0], command, environment)  # noqa: S606 - the person's own command
    except OSError as error:
        sys.exit(f"{command[0]}: {error.strerror}")


if __name__ == "__main__":
    main(sys.argv[1:])
