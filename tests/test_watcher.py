"""Servers and processes that a test process has started end when it ends, even by `kill -9`."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests import watcher
from tests.processes import ROOT, until

SETUP = """
import pathlib, sys, threading
import django
django.setup()
from tests import postgres, servers, watcher
def say(group, directory):
    print(group, directory, flush=True)
    threading.Event().wait()
"""
PROGRAMS = {
    "a cluster": "cluster = postgres.start(); say(cluster.server.pid, cluster.directory)",
    "a cluster that is being made": """
directory = postgres._new_directory(account := postgres.find_account())
slow = postgres._begin(["sleep", "600"], directory / "log", account, postgres.signal.SIGKILL)
say(slow.pid, directory)
""",
    "Redis": """
redis = servers.RedisServer(pathlib.Path(sys.argv[1]))
redis.start()
say(redis.process.pid, redis.socket_directory)
""",
    "moto": """
s3 = servers.S3Server(pathlib.Path(sys.argv[1]))
s3.start()
say(s3.process.pid, "/nowhere")
""",
}


def start(program: str, directory: Path) -> tuple["subprocess.Popen[str]", int, Path]:
    """Start a process that runs `program`; return it, the process group it has started, and its directory."""
    process = subprocess.Popen(  # noqa: S603 - our own words
        [sys.executable, "-c", SETUP + program, str(directory)],
        cwd=ROOT,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "clinic.settings", "LACUNA_DATA_DIR": str(directory)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    group, place = process.stdout.readline().split()
    return process, int(group), Path(place)


@pytest.mark.processes
@pytest.mark.parametrize("what", PROGRAMS)
def test_it_ends_with_a_process_that_was_killed(what: str, tmp_path: Path) -> None:
    process, group, directory = start(PROGRAMS[what], tmp_path)
    assert watcher.group_lives(group)
    assert directory.exists() == (what != "moto")
    process.send_signal(signal.SIGKILL)
    process.communicate()
    until(lambda: not watcher.group_lives(group), f"{what} ends")
    until(lambda: not directory.exists(), f"{what} leaves no directory")


@pytest.mark.processes
def test_a_group_that_was_forgotten_is_not_stopped(tmp_path: Path) -> None:
    """A forgotten group number may be in use again; here a bystander has it, which must keep running."""
    bystander = subprocess.Popen(["sleep", "600"], start_new_session=True)  # noqa: S607
    program = f"watcher.watch_group({bystander.pid}); watcher.forget_group({bystander.pid});"
    process, group, directory = start(program + PROGRAMS["a cluster"].replace("; say", "\nsay"), tmp_path)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    until(lambda: not directory.exists(), "the watcher has done its work")
    assert not watcher.group_lives(group)
    assert bystander.poll() is None
    bystander.kill()
    bystander.wait()
