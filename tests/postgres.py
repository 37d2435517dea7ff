"""A PostgreSQL cluster of the tests' own: on no port, under no existing server, gone with who started it.

    python -m tests.postgres COMMAND...

makes a cluster, names it in LACUNA_DATABASE and becomes COMMAND. docs/decisions/0008 says why it is this way.
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
OLDEST = 14  # the oldest version that Django 5.2 takes
# Where systems keep them; most put none of the server's on PATH.
DIRECTORIES = (
    "/usr/lib/postgresql/*/bin",  # Debian, Ubuntu
    "/usr/pgsql-*/bin",  # PostgreSQL's own packages for Fedora and its kin
    "/opt/homebrew/opt/postgresql*/bin",
    "/usr/local/opt/postgresql*/bin",
    "/home/linuxbrew/.linuxbrew/opt/postgresql*/bin",
    "/Applications/Postgres.app/Contents/Versions/*/bin",
)
LONGEST_SOCKET = 103  # bytes of a Unix socket's path: macOS takes no more, Linux 107
PATIENCE = 60.0  # seconds a server has to begin
# For data that nobody wants back. A machine that loses its power loses the run too.
THROW_AWAY = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


class NoPostgres(Exception):
    """There is no PostgreSQL here that a cluster can be made with."""


@dataclass(frozen=True)
class Account:
    """A user of the system. PostgreSQL refuses to run as root."""

    uid: int
    gid: int


@dataclass
class Cluster:
    """A cluster. `directory` holds its data, its log and its socket; its superuser is `postgres`."""

    directory: Path
    binaries: Path
    account: Account | None
    command: list[object]
    server: "subprocess.Popen[bytes]"

    @property
    def data(self) -> Path:
        return self.directory / "data"

    def address(self, database: str = "postgres") -> str:
        """Where a database of the cluster is, as LACUNA_DATABASE says it."""
        return f"postgresql://postgres@{quote(str(self.directory), safe='')}/{database}"

    def environment(self) -> dict[str, str]:
        """The environment of a command that works on this cluster, with the programs of its version first.

        The PG* variables that the person set would lead to another server, and so would the default of who
        names none: that one is led to a directory in which no server is.
        """
        return {
            **_own_environment(),
            "PATH": os.pathsep.join([str(self.binaries), os.environ.get("PATH", os.defpath)]),
            "PGHOST": str(self.directory / "name-your-server"),
            "LACUNA_DATABASE": self.address(),
        }

    def run(self, program: str, *arguments: object) -> None:
        """Run one of PostgreSQL's programs against this cluster, as the user that the server runs as."""
        command = [self.binaries / program, "-h", self.directory, "-U", "postgres", *map(str, arguments)]
        subprocess.run(  # noqa: S603 - our own words
            command,
            check=True,
            stdout=subprocess.DEVNULL,
            cwd=self.directory,
            **_as(self.account),  # type: ignore[call-overload]
        )

    def take_away(self) -> None:
        """Stop the server at once, whoever is connected. Its data stay, and `bring_back` starts it again."""
        self.server.send_signal(signal.SIGQUIT)
        try:
            self.server.wait(watcher.GRACE)
        except subprocess.TimeoutExpired:
            os.killpg(self.server.pid, signal.SIGKILL)
            self.server.wait()
        watcher.forget_group(self.server.pid)

    def bring_back(self) -> None:
        """Start the server again at the same address. Errors: NoPostgres."""
        self.server = _begin(self.command, self.directory / "log", self.account, signal.SIGQUIT)
        self.wait_until_ready()

    def wait_until_ready(self) -> None:
        """Return when the server takes connections. Errors: NoPostgres if it does not start."""
        until = time.monotonic() + PATIENCE
        ready = [self.binaries / "pg_isready", "-q", "-h", self.directory]
        while subprocess.run(ready, env=_own_environment(), check=False).returncode:  # noqa: S603
            if self.server.poll() is not None or time.monotonic() > until:
                said = (self.directory / "log").read_text(errors="replace")
                self.stop()
                raise NoPostgres(f"PostgreSQL did not start, and said:\n{said}")
            time.sleep(0.02)

    def stop(self) -> None:
        """Stop the server without care for its data, and remove all of it."""
        if self.server.poll() is None:
            self.take_away()
        shutil.rmtree(self.directory)
        watcher.forget_directory(self.directory)


def find_binaries() -> Path:
    """The directory of the newest PostgreSQL here that has all PROGRAMS. Errors: NoPostgres."""
    found = [path for pattern in DIRECTORIES for path in Path("/").glob(pattern.removeprefix("/"))]
    if config := shutil.which("pg_config"):
        asked = subprocess.run([config, "--bindir"], capture_output=True, text=True, check=False)  # noqa: S603
        found.append(Path(asked.stdout.strip()))
    if server := shutil.which("postgres"):
        found.append(Path(server).resolve().parent)
    whole = [place for place in found if all(os.access(place / name, os.X_OK) for name in PROGRAMS)]
    versions = {place: version for place in whole if (version := _version(place)) >= OLDEST}
    if not versions:
        raise NoPostgres(f"No PostgreSQL server of version {OLDEST} or newer is installed.")
    return max(versions, key=lambda place: versions[place])


def _version(binaries: Path) -> int:
    said = subprocess.run([binaries / "postgres", "--version"], capture_output=True, text=True, check=False)  # noqa: S603
    found = re.search(r"\b(\d+)", said.stdout)
    return int(found[1]) if found else 0


def find_account() -> Account | None:
    """Who the server runs as: whoever runs the tests, and for root another. Errors: NoPostgres."""
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
    """This process's environment without what leads PostgreSQL's programs to another server."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PG")}


def _as(account: Account | None) -> dict[str, object]:
    """What has subprocess run a command as `account`."""
    if account is None:
        return {"env": _own_environment()}
    return {"env": _own_environment(), "user": account.uid, "group": account.gid, "extra_groups": []}


def _new_directory(account: Account | None) -> Path:
    """A directory for a cluster that the account may enter, short enough for a socket. Only it can enter."""
    place = tempfile.gettempdir()
    longest = LONGEST_SOCKET - len(os.fsencode("/lacuna-postgres-12345678/.s.PGSQL.5432"))
    # Root's own place for temporary files may be closed to the account.
    if account is not None or len(os.fsencode(place)) > longest:
        place = "/tmp"  # noqa: S108 - mkdtemp makes a directory of its own there
    directory = Path(tempfile.mkdtemp(prefix="lacuna-postgres-", dir=place))
    watcher.watch_directory(directory)
    if account is not None:
        os.chown(directory, account.uid, account.gid)
    return directory


def _locale() -> str:
    """A locale with Unicode's letters; C.UTF-8 is on every Linux, and not on every macOS."""
    before = locale.setlocale(locale.LC_CTYPE)
    try:
        for name in ("C.UTF-8", "en_US.UTF-8"):
            with suppress(locale.Error):
                return locale.setlocale(locale.LC_CTYPE, name)
    finally:
        locale.setlocale(locale.LC_CTYPE, before)
    return "C"


def start(settings: Mapping[str, str] = THROW_AWAY) -> Cluster:
    """Make a cluster and start it; it ends by `stop`, or with this process. Errors: NoPostgres."""
    binaries, account = find_binaries(), find_account()
    directory = _new_directory(account)
    data, log = directory / "data", directory / "log"
    initdb = [binaries / "initdb", "-D", data, "-A", "trust", "-U", "postgres", "-E", "UTF8"]
    _run_to_its_end([*initdb, f"--locale={_locale()}", "--no-sync", "--no-instructions"], log, account)
    more = {
        "listen_addresses": "",
        "unix_socket_directories": str(directory),
        "max_connections": "300",  # each of pytest's processes has a pool, and so has each house it starts
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
    with log.open("ab") as said:
        process = subprocess.Popen(  # noqa: S603 - our own words
            [str(word) for word in command],
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
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
        said = log.read_text(errors="replace")
        shutil.rmtree(log.parent)
        raise NoPostgres(f"{command[0]} failed, and said:\n{said}")


@contextmanager
def cluster(settings: Mapping[str, str] = THROW_AWAY) -> Iterator[Cluster]:
    """A cluster for the length of a block."""
    running = start(settings)
    try:
        yield running
    finally:
        running.stop()


def main(command: list[str]) -> None:
    """Start a cluster and become `command`. The watcher, whose parent it stays, ends the cluster after it."""
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
