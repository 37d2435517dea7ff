"""A house of real processes for tests that kill them: workers and supervisors on the test's own database."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from django.conf import settings
from django.db import connection

ROOT = Path(__file__).resolve().parents[1]
PATIENCE = 60.0  # seconds any wait may take before the test fails; nothing is timed by it


def database_address() -> str:
    """Where the test's own database is, as the settings of another process take it."""
    chosen = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{chosen['NAME']}"
    user, host, port = chosen["USER"], chosen["HOST"], chosen["PORT"]
    return f"postgresql://{user}@{host}:{port}/{chosen['NAME']}"


def environment(**more: str) -> dict[str, str]:
    """The environment in which another process is part of this test's house."""
    return {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "clinic.settings",
        "LACUNA_SECRET_KEY": settings.SECRET_KEY,
        "LACUNA_DATABASE": database_address(),
        "LACUNA_DATA_DIR": str(settings.LACUNA_DATA_DIR),
        "LACUNA_KEYS_DIR": str(settings.LACUNA_KEYS_DIR),
        "LACUNA_ROOT_KEY_FILE": str(settings.LACUNA_ROOT_KEY_FILE),
        "LACUNA_SIGNING_KEY_FILE": str(settings.LACUNA_SIGNING_KEY_FILE),
        "LACUNA_WITNESS_DIR": str(settings.LACUNA_WITNESS_DIR),
        "LACUNA_COOLING_OFF_HOURS": "0",
        "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
        **more,
    }


def contents(path: Path) -> bytes:
    """The bytes of a file that may be this process's open database.

    Read by another process: closing any descriptor of a file drops the locks this process has on it, SQLite's
    too, and the next process to leave the database would believe it the last and take its log away.
    Errors: OSError.
    """
    read = subprocess.run(["cat", "--", path], capture_output=True, check=False)  # noqa: S603, S607
    if read.returncode:
        raise OSError(read.stderr.decode())
    return read.stdout


def until(happened: Callable[[], bool], what: str) -> None:
    """Look again and again until `happened`; fail when PATIENCE ends."""
    end = time.monotonic() + PATIENCE
    while not happened():
        if time.monotonic() > end:
            raise AssertionError(f"waited in vain: {what}")
        time.sleep(0.02)


@dataclass
class House:
    """Processes started for one test; all are gone when it ends."""

    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start(self, *command: str, **env: str) -> "subprocess.Popen[bytes]":
        """Start `manage.py command` as a process group of its own."""
        process = subprocess.Popen(  # noqa: S603 - our own command line
            [sys.executable, str(ROOT / "manage.py"), *command],
            env=environment(**env),
            cwd=ROOT,
            start_new_session=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        self.processes.append(process)
        return process

    def worker(self, **env: str) -> "subprocess.Popen[bytes]":
        """A task worker as `manage.py serve` starts it."""
        return self.start("db_worker", "--interval", "0.05", "--no-startup-delay", "--no-reload", **env)

    def supervisor(self, **env: str) -> "subprocess.Popen[bytes]":
        return self.start("supervise", **env)

    def close(self) -> None:
        for process in self.processes:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGCONT)
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            if process.stderr:
                process.stderr.close()


@contextmanager
def house() -> Iterator[House]:
    """A house for the length of a test."""
    mine = House()
    try:
        yield mine
    finally:
        mine.close()
