"""E1: SIGKILL at every labelled point and at random moments; SIGSTOP beyond the lease. Real processes."""

import os
import random
import signal
import time
from collections.abc import Iterator

import pytest

from clinic.audit.models import Entry
from patients.vault.models import StoredObject
from tests.erasure.runs.nights import POINTS, check_end, status, stopped
from tests.factories import make_run
from tests.house import House, certified, house, progress, until, until_certified

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.processes]

RANDOM_KILLS = 30
KINDS = ("pages", "recording", "video", "object")


@pytest.fixture
def processes() -> Iterator[House]:
    with house() as mine:
        yield mine


@pytest.mark.parametrize("points", POINTS.values(), ids=POINTS)
def test_killed_at_every_labelled_point(points: list[str], processes: House) -> None:
    """One night in which the process that comes to the next point dies there, and the next one goes on."""
    # The memory that goes last holds one keepsake of each kind beside its photo.
    run = make_run(memories=3, kinds=KINDS)
    for point in points:
        # A supervisor settles too, so both may be the one that reaches the point; each dies of it once.
        both = [
            start(LACUNA_POINT=point, LACUNA_LEASE_SECONDS="1")
            for start in (processes.worker, processes.supervisor)
        ]
        until(
            lambda both=both: any(one.poll() is not None for one in both) or certified(run),
            f"somebody reaches {point}",
            progress,
        )
        codes = {one.poll() for one in both}
        assert -signal.SIGKILL in codes, f"nobody died at {point}: the label is not reached"
        processes.kill()
    processes.worker(LACUNA_LEASE_SECONDS="1")
    processes.supervisor(LACUNA_LEASE_SECONDS="1")
    until_certified(run, f"the run ends after kills at {points}")
    check_end(run)


def test_killed_at_random_moments(processes: House) -> None:
    run = make_run(memories=6, letters=1, pace=1.5, kinds=KINDS)
    chance = random.Random(os.environ.get("LACUNA_TEST_SEED", "kills"))  # noqa: S311
    running = {
        "worker": processes.worker(LACUNA_LEASE_SECONDS="1"),
        "supervisor": processes.supervisor(LACUNA_LEASE_SECONDS="1"),
    }
    kills = 0
    while kills < RANDOM_KILLS and not certified(run):
        # How long they may live: long enough to start, then any moment of their work.
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


def test_a_zombie_commits_nothing(processes: House) -> None:
    run = make_run(memories=2)
    zombie = processes.worker(
        LACUNA_POINT="frames-made:3", LACUNA_POINT_SIGNAL="STOP", LACUNA_LEASE_SECONDS="1"
    )
    supervisor = processes.supervisor(LACUNA_LEASE_SECONDS="1")
    until(lambda: stopped(zombie.pid), "the worker is frozen with its frames made")
    processes.worker(LACUNA_LEASE_SECONDS="1")
    until_certified(run, "another worker finishes the run")
    log = Entry.objects.count()
    os.kill(zombie.pid, signal.SIGCONT)
    until(
        lambda: not StoredObject.objects.remaining().exists() and not _busy(zombie.pid),
        "the zombie cleans up what it had made in vain",
    )
    check_end(run)
    assert Entry.objects.count() == log
    assert supervisor.poll() is None


def _busy(pid: int) -> bool:
    return status(pid) == "R"


def test_two_workers_and_two_supervisors_never_do_a_step_twice(processes: House) -> None:
    run = make_run(memories=4, letters=1)
    for _ in range(2):
        processes.worker()
        processes.supervisor()
    until_certified(run, "the run ends")
    check_end(run)
