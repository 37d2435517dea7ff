"""The system programs that the tests need: which are missing, and how to install them.

    python -m tests.packages [--quick]

installs them if that needs no password: with apt, as root or with a passwordless sudo. Otherwise it prints
the command that installs them on this system, and exits with status 1. It leaves no server running.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.postgres import NoPostgres, find_binaries

COMMAND = "python -m tests.packages"
# PKCS#11 libraries by system: Debian, Fedora, Homebrew on both kinds of Mac.
SOFTHSM_MODULES = (
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib64/softhsm/libsofthsm2.so",
    "/usr/lib64/pkcs11/libsofthsm2.so",
    "/opt/homebrew/lib/softhsm/libsofthsm2.so",
    "/usr/local/lib/softhsm/libsofthsm2.so",
)
CHROMIUMS = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
)
# Debian's package postgresql makes a cluster and starts its server, unless its configuration says not to.
NO_CLUSTER = Path("/etc/postgresql-common/createcluster.d/lacuna-tests.conf")


def find_chromium() -> str | None:
    if chosen := os.environ.get("CHROMIUM"):
        return chosen
    return next((found for name in CHROMIUMS if (found := shutil.which(name))), None)


def find_softhsm() -> Path | None:
    """The path of SoftHSM's PKCS#11 library."""
    return next((Path(path) for path in SOFTHSM_MODULES if Path(path).exists()), None)


def find_redis() -> str | None:
    """An executable that acts as Redis's server when started with argv[0] "redis-server".

    All Redis programs are one executable, which looks at argv[0]. It is in Debian's package redis-tools; the
    package redis-server would only add a link and start a server on port 6379.
    """
    names = ("redis-server", "valkey-server", "redis-check-rdb", "valkey-check-rdb")
    return next((found for name in names if (found := shutil.which(name))), None)


def find_postgres() -> Path | None:
    try:
        return find_binaries()
    except NoPostgres:
        return None


@dataclass(frozen=True)
class Need:
    """A program, how to find it, and its package on each kind of system ("": there is none)."""

    name: str
    find: Callable[[], object]
    debian: str
    fedora: str
    brew: str
    quick: bool = False  # whether `make quick` needs it: no browser, no PostgreSQL, no Redis


def _have_softhsm() -> bool:
    return find_softhsm() is not None and shutil.which("softhsm2-util") is not None


NEEDS = (
    Need("Chromium", find_chromium, "chromium", "chromium", "google-chrome"),
    Need("GNU gettext", lambda: shutil.which("xgettext"), "gettext", "gettext", "gettext", quick=True),
    Need("strace", lambda: shutil.which("strace"), "strace", "strace", ""),
    Need("PostgreSQL's server", find_postgres, "postgresql", "postgresql-server", "postgresql@17"),
    Need("SoftHSM", _have_softhsm, "softhsm2", "softhsm", "softhsm", quick=True),
    Need("Redis", find_redis, "redis-tools", "valkey", "redis"),
)


def missing(needs: Sequence[Need] = NEEDS) -> list[Need]:
    """Needs that are not installed but could be. (strace exists only on Linux.)"""
    return [need for need in needs if not need.find() and (need.brew or sys.platform != "darwin")]


def install_command(needs: Sequence[Need]) -> list[str] | None:
    """The command that installs `needs` on this system; None if it has neither apt, dnf nor brew."""
    if shutil.which("apt-get"):
        return ["sudo", "apt-get", "install", "--no-install-recommends", *_debian_packages(needs)]
    if shutil.which("dnf"):
        return ["sudo", "dnf", "install", *(need.fedora for need in needs)]
    if shutil.which("brew"):
        return ["brew", "install", *(need.brew for need in needs)]
    return None


def _debian_packages(needs: Sequence[Need]) -> list[str]:
    names = [need.debian for need in needs]
    on_ubuntu = "\nID=ubuntu\n" in "\n" + _os_release()
    return ["chromium-browser" if name == "chromium" and on_ubuntu else name for name in names]


def _os_release() -> str:
    try:
        return Path("/etc/os-release").read_text()
    except OSError:
        return ""


def root_prefix() -> list[str] | None:
    """The prefix that runs a command as root: [] for root, else sudo; None if sudo would ask a password."""
    if os.geteuid() == 0:
        return []
    sudo = shutil.which("sudo")
    if sudo and subprocess.run([sudo, "-n", "true"], capture_output=True, check=False).returncode == 0:  # noqa: S603
        return [sudo, "-n"]
    return None


@contextmanager
def no_new_cluster(as_root: list[str]) -> Iterator[None]:
    """Keep Debian's package postgresql from creating a cluster during the block, by a configuration file."""
    existed = NO_CLUSTER.parent.is_dir()
    _run([*as_root, "mkdir", "-p", str(NO_CLUSTER.parent)])
    _run([*as_root, "tee", str(NO_CLUSTER)], stdin="create_main_cluster = false\n")
    try:
        yield
    finally:
        _run([*as_root, "rm", "-f", str(NO_CLUSTER)])
        if not existed:
            _run([*as_root, "rmdir", "--ignore-fail-on-non-empty", str(NO_CLUSTER.parent)])


def install(needs: Sequence[Need], as_root: list[str]) -> None:
    """Install packages with apt. Errors: CalledProcessError."""
    apt = [*as_root, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-qq"]
    _run([*apt, "update"])
    with no_new_cluster(as_root):
        _run([*apt, "install", "-y", "--no-install-recommends", *_debian_packages(needs)])


def _run(command: list[str], stdin: str = "") -> None:
    subprocess.run(command, input=stdin, text=True, stdout=subprocess.DEVNULL, check=True)  # noqa: S603


def main(arguments: list[str]) -> None:
    wanted = [need for need in NEEDS if need.quick or "--quick" not in arguments]
    needs = missing(wanted)
    if not needs:
        return
    names = ", ".join(need.name for need in needs)
    as_root = root_prefix()
    if shutil.which("apt-get") and as_root is not None:
        print(f"Installing {names} from the system's packages: {' '.join(_debian_packages(needs))}")  # noqa: T201
        sys.stdout.flush()
        try:
            install(needs, as_root)
        except subprocess.CalledProcessError as error:
            sys.exit(f"{' '.join(error.cmd)} ended with {error.returncode}.")
        if needs := missing(wanted):
            sys.exit(f"Still missing after that: {', '.join(need.name for need in needs)}.")
        return
    command = install_command(needs)
    if command is None:
        sys.exit(f"The tests need {names}. Install what is missing and run this again.")
    sys.exit(f"The tests need {names}. Install with:\n\n    {' '.join(command)}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
