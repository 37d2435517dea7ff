"""E1: real processes are killed at every failpoint and at random moments, or stopped beyond their lease."""

import os
import random
import signal
import time
from collections.abc import Iterator

import pytest

from clinic.audit.models import Entry
from patients.vault.models import StoredObject
from tests.erasure.runs.nights import POINTS, check_end, is_stopped, process_state
from tests.factories import make_run
from tests.processes import StartedProcesses, certified, progress, started_processes, until, until_certified

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.processes]

RANDOM_KILLS = 30
KINDS = ("pages", "recording", "video", "object")


@pytest.fixture
def processes() -> Iterator[StartedProcesses]:
    with started_processes() as mine:
        yield mine


@pytest.mark.parametrize("points", POINTS.values(), ids=POINTS)
def test_a_run_is_completed_after_kills_at_every_failpoint(
    points: list[str], processes: StartedProcesses
) -> None:
    """One run: at each failpoint the process that reaches it is killed, and others go on."""
    # The last memory has one keepsake of each kind besides its photo.
    run = make_run(memories=3, kinds=KINDS)
    for point in points:
        # Either process may reach the failpoint, because a supervisor completes runs too.
        started = [
            start(LACUNA_POINT=point, LACUNA_LEASE_SECONDS="1")
            for start in (processes.worker, processes.supervisor)
        ]
        until(
            lambda started=started: any(one.poll() is not None for one in started) or certified(run),
            f"a process reaches {point}",
            progress,
        )
        codes = {one.poll() for one in started}
        assert -signal.SIGKILL in codes, f"no process died at {point}: the label is not reached"
        processes.kill()
    processes.worker(LACUNA_LEASE_SECONDS="1")
    processes.supervisor(LACUNA_LEASE_SECONDS="1")
    until_certified(run, f"the run ends after kills at {points}")
    check_end(run)


def test_a_run_is_completed_after_kills_at_random_moments(processes: StartedProcesses) -> None:
    run = make_run(memories=6, letters=1, pace=1.5, kinds=KINDS)
    chance = random.Random(os.environ.get("LACUNA_TEST_SEED", "kills"))  # noqa: S311
    running = {
        "worker": processes.worker(LACUNA_LEASE_SECONDS="1"),
        "supervisor": processes.supervisor(LACUNA_LEASE_SECONDS="1"),
    }
    kills = 0
    while kills < RANDOM_KILLS and not certified(run):
        # Long enough for a start, so that the kill comes at any moment of their work.
        time.sleep(chance.uniform(0.05, 1.6))
        for name, start in (("worker", processes.worker), ("supervisor", processes.supervisor)):
            if chance.random() < 0.7:
                running[name].kill()
                running[name].wait()
                running[name] = start(LACUNA_LEASE_SECONDS="1")
                kills += 1
    until_certified(run, "the run ends after being killed again and again")
    assert kills >= RANDOM_KILLS
    check_end(run)


def test_a_worker_continued_after_its_lease_commits_nothing(processes: StartedProcesses) -> None:
    run = make_run(memories=2)
    late_worker = processes.worker(
        LACUNA_POINT="frames-made:3", LACUNA_POINT_SIGNAL="STOP", LACUNA_LEASE_SECONDS="1"
    )
    supervisor = processes.supervisor(LACUNA_LEASE_SECONDS="1")
    until(lambda: is_stopped(late_worker.pid), "the worker is stopped after it has made its frames")
    processes.worker(LACUNA_LEASE_SECONDS="1")
    until_certified(run, "another worker finishes the run")
    log = Entry.objects.count()
    os.kill(late_worker.pid, signal.SIGCONT)
    until(
        lambda: not StoredObject.objects.remaining().exists() and not _busy(late_worker.pid),
        "the continued worker destroys the frames it has made",
    )
    check_end(run)
    assert Entry.objects.count() == log
    assert supervisor.poll() is None


def _busy(pid: int) -> bool:
    return process_state(pid) == "R"


def test_two_workers_and_two_supervisors_never_do_a_step_twice(processes: StartedProcesses) -> None:
    run = make_run(memories=4, letters=1)
    for _ in range(2):
        processes.worker()
        processes.supervisor()
    until_certified(run, "the run ends")
    check_end(run)
