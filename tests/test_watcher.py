"""What a process of the tests has started is gone when that process is, even by `kill -9`."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests import watcher
from tests.house import ROOT, until

SETUP = """
import pathlib, sys, threading
import django
django.setup()
from tests import postgres, servers, watcher
def say(group, directory):
    print(group, directory, flush=True)
    threading.Event().wait()
"""
STARTED = {
    "a cluster": "cluster = postgres.start(); say(cluster.server.pid, cluster.directory)",
    "a cluster that is being made": """
directory = postgres._new_directory(account := postgres.find_account())
slow = postgres._begin(["sleep", "600"], directory / "log", account, postgres.signal.SIGKILL)
say(slow.pid, directory)
""",
    "Redis": """
redis = servers.RedisServer(pathlib.Path(sys.argv[1]))
redis.start()
say(redis.process.pid, redis.place)
""",
    "moto": """
s3 = servers.S3Server(pathlib.Path(sys.argv[1]))
s3.start()
say(s3.process.pid, "/nowhere")
""",
}


def start(program: str, directory: Path) -> tuple["subprocess.Popen[str]", int, Path]:
    """Start a process that starts something; return it, the group that it has started, and its directory."""
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
@pytest.mark.parametrize("what", STARTED)
def test_it_is_gone_with_a_process_that_was_killed(what: str, tmp_path: Path) -> None:
    process, group, directory = start(STARTED[what], tmp_path)
    assert watcher.group_lives(group)
    assert directory.exists() == (what != "moto")
    process.send_signal(signal.SIGKILL)
    process.communicate()
    until(lambda: not watcher.group_lives(group), f"{what} ends")
    until(lambda: not directory.exists(), f"{what} leaves no directory")


@pytest.mark.processes
def test_what_has_ended_in_order_is_left_alone(tmp_path: Path) -> None:
    """Its number may be another process's by then: here, one that is not to be stopped."""
    bystander = subprocess.Popen(["sleep", "600"], start_new_session=True)  # noqa: S607
    program = f"watcher.watch_group({bystander.pid}); watcher.forget_group({bystander.pid});"
    process, group, directory = start(program + STARTED["a cluster"].replace("; say", "\nsay"), tmp_path)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    until(lambda: not directory.exists(), "the watcher has done its work")
    assert not watcher.group_lives(group)
    assert bystander.poll() is None
    bystander.kill()
    bystander.wait()
