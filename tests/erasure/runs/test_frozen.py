"""E7: a process stopped at any failpoint and continued after the certificate leaves nothing that opens."""

import fcntl
import os
import signal
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.db import OperationalError, connection, transaction

from erasure.jobs.worker import next_step
from erasure.runs import passes
from erasure.runs.finishing import finish
from erasure.runs.lease import claim, free_holder, may_store
from erasure.runs.models import Fence, Run, Step
from erasure.runs.passes import Refused, keepsakes_of, make_pass
from patients.vault import objects
from patients.vault.configured import key_store
from patients.vault.models import CaseKey, StoredObject
from patients.vault.objects import destroy, storage
from tests.erasure.runs.nights import POINTS, check_end, is_stopped
from tests.factories import make_run
from tests.patients.vault.tokens import MODULE, PIN, token
from tests.processes import StartedProcesses, certified, progress, started_processes, until, until_certified

__all__ = ["token"]

pytestmark = pytest.mark.django_db(transaction=True)

# The failpoints that a run with keys in the database and a token reaches besides those of passes and closes.
TOKEN_POINTS = {
    "making frames": ["row:2", "create.written:2", "create.durable:2", "key:3"],
    "destroying": ["destroy.written:3", "destroy.durable:2", "key-destroyed:2"],
    "ending": ["roll.key-made", "roll.rows-written", "roll.committed", "roll.old-key-destroyed", "rolled"],
}
KEYS_AND_POINTS = [pytest.param("slots", points, id=f"slots-{name}") for name, points in POINTS.items()] + [
    pytest.param("database", points, id=f"token-{name}", marks=pytest.mark.only_on("postgresql"))
    for name, points in TOKEN_POINTS.items()
]
Process = subprocess.Popen[bytes]


@pytest.fixture
def processes() -> Iterator[StartedProcesses]:
    with started_processes() as mine:
        yield mine


@pytest.fixture
def key_settings(request: pytest.FixtureRequest, settings: django_settings) -> dict[str, str]:
    """Store the keys where the parameter `keys` says. The value is the environment for other processes."""
    if request.getfixturevalue("keys") == "slots":
        return {}
    request.getfixturevalue("token")
    settings.LACUNA_KEYS, settings.LACUNA_TOKEN_MODULE, settings.LACUNA_TOKEN_PIN = (
        "database",
        str(MODULE),
        PIN,
    )
    return {"LACUNA_KEYS": "database", "LACUNA_TOKEN_MODULE": str(MODULE), "LACUNA_TOKEN_PIN": PIN}


@pytest.mark.processes
@pytest.mark.parametrize(("keys", "points"), KEYS_AND_POINTS)
def test_e7_processes_stopped_at_any_failpoint_and_continued_after_the_certificate_leave_nothing(
    keys: str, points: list[str], key_settings: dict[str, str], processes: StartedProcesses
) -> None:
    """One run: at each failpoint a process is stopped and others go on; at the end all stopped ones continue.

    At some failpoints the process holds a lock that the end of the run needs, so no certificate can be
    issued. The test asserts this and kills the process, so that the run can go on to the next failpoint.
    """
    run = make_run(memories=3, letters=1)
    env = {"LACUNA_LEASE_SECONDS": "1", **key_settings}
    frozen: list[Process] = []
    reached = set()
    for point in points:
        both = [
            start(LACUNA_POINT=point, LACUNA_POINT_SIGNAL="STOP", **env)
            for start in (processes.worker, processes.supervisor)
        ]
        until(
            lambda both=both: any(is_stopped(one.pid) for one in both) or certified(run),
            f"a process stops at {point}",
            progress,
        )
        stopped_now = [one for one in both if is_stopped(one.pid)]
        for one in both:
            if one not in stopped_now:
                one.kill()
                one.wait()
        assert stopped_now, f"no process stopped at {point}: the label is not reached"
        reached.add(point)
        if end_is_locked():
            assert not certified(run)
            for one in stopped_now:
                one.kill()
                one.wait()
        else:
            frozen += stopped_now
    processes.worker(**env)
    processes.supervisor(**env)
    until_certified(run, f"the run is certified while processes are stopped at {points}")
    for one in frozen:
        assert is_stopped(one.pid)
        os.kill(one.pid, signal.SIGCONT)
        one.terminate()  # a worker completes its task first, a supervisor its round
    for one in frozen:
        until(
            lambda one=one: one.poll() is not None,
            "the continued process has done the rest of its work and ended",
        )
    check_end(run)
    assert run.certificate.statement["verification"]["result"] == "clean"


def end_is_locked() -> bool:
    """Whether a process holds a lock that finishing a run, rolling keys or writing the log needs."""
    if django_settings.LACUNA_KEYS == "slots":
        lock = os.open(django_settings.LACUNA_KEYS_DIR / "lock", os.O_RDWR)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(lock)
    if connection.vendor == "sqlite":
        database = sqlite3.connect(connection.settings_dict["NAME"], timeout=0)
        try:
            database.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            return True
        finally:
            database.close()
        return False
    try:
        with transaction.atomic():
            list(Run.objects.select_for_update(nowait=True))
            list(CaseKey.objects.select_for_update(nowait=True))
    except OperationalError:
        return True
    return False


def make_claimed() -> tuple[Run, Fence, Step]:
    run = make_run(memories=1, letters=1)
    fence, step = claim(run.pk, "slow"), next_step(run.pk)
    assert fence
    assert step
    return run, fence, step


def call_at(label: str, action: Callable[[], object], monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Call `action` the first time `label` is reached. Returns a list to which reached labels are added."""
    reached: list[str] = []

    def hit(here: str) -> None:
        reached.append(here)
        if here == label and reached.count(label) == 1:
            action()

    monkeypatch.setattr(objects, "hit", hit)
    return reached


def check_nothing_new(before: set[Any]) -> None:
    """Assert that no key was added, that no file lacks a key, and that no object is pending."""
    assert set(key_store().ids()) == before
    rows = StoredObject.objects.filter(pk__in=before).exclude(blob="")
    assert storage().traces() == set(rows.values_list("blob", flat=True))
    assert not StoredObject.objects.filter(state=StoredObject.State.PENDING).exists()


@pytest.mark.parametrize("label", ["row", "key", "file"])
def test_e7_a_frame_that_another_worker_destroyed_gets_no_key_and_no_file(
    label: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, fence, step = make_claimed()
    before = set(key_store().ids())

    def successor() -> None:
        free_holder("slow")
        new_fence = claim(run.pk, "quick")
        assert new_fence
        monkeypatch.setattr(objects, "hit", lambda label: None)
        passes.clear_leftovers(new_fence, step, keepsakes_of(step))

    call_at(label, successor, monkeypatch)
    with pytest.raises(Refused):
        make_pass(fence, step, due=run.next_due_at)
    check_nothing_new(before)


def test_e7_a_worker_that_lost_the_run_makes_no_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    """If the worker loses the run before the row of a frame is made, it stores nothing."""
    run, fence, step = make_claimed()
    rows = StoredObject.objects.count()
    monkeypatch.setattr(passes, "hit", lambda label: free_holder("slow") if label == "cleared" else None)
    with pytest.raises(Refused):
        make_pass(fence, step, due=run.next_due_at)
    assert StoredObject.objects.count() == rows


def test_e7_a_worker_that_lost_the_run_leaves_its_successors_frames() -> None:
    run, fence, step = make_claimed()
    free_holder("slow")
    new_fence = claim(run.pk, "quick")
    assert new_fence
    keepsake = keepsakes_of(step)[0]

    def store(data: bytes, **fields: Any) -> StoredObject:
        return objects.put(data, permitted=lambda: may_store(new_fence), **fields)

    made = passes.next_frame(keepsake, last=False, store=store).objects
    with pytest.raises(Refused):
        make_pass(fence, step, due=run.next_due_at)
    pending = StoredObject.objects.filter(state=StoredObject.State.PENDING)
    assert set(pending) == set(made)


@pytest.mark.parametrize("lost", [{"epoch": 7}, {"lease_until": None}, {"state": Run.State.PAUSED}])
def test_e7_no_row_of_a_frame_is_made_after_the_run_was_lost(lost: dict[str, Any]) -> None:
    run, fence, step = make_claimed()
    keepsake = keepsakes_of(step)[0]
    before, rows = set(key_store().ids()), StoredObject.objects.count()
    Run.objects.filter(pk=run.pk).update(**lost)

    def store(data: bytes, **fields: Any) -> StoredObject:
        return objects.put(data, permitted=lambda: may_store(fence), **fields)

    with pytest.raises(objects.Unwanted):
        passes.next_frame(keepsake, last=False, store=store)
    assert StoredObject.objects.count() == rows
    check_nothing_new(before)


def test_e7_the_end_of_a_run_dooms_unfinished_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise they would stay, because no worker comes to a memory that was protected meanwhile."""
    run, fence, step = make_claimed()
    before = set(key_store().ids())

    def end_run() -> None:
        monkeypatch.setattr(objects, "hit", lambda label: None)
        Run.objects.filter(pk=run.pk).update(state=Run.State.STOPPING, why=Run.Why.ABORT)
        assert finish(run.pk)
        assert not StoredObject.objects.filter(state=StoredObject.State.PENDING).exists()
        destroy(StoredObject.objects.all())

    call_at("row", end_run, monkeypatch)
    with pytest.raises(Refused):
        make_pass(fence, step, due=run.next_due_at)
    check_nothing_new(before)


def test_e7_an_upload_that_the_sweep_destroyed_gets_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    case = make_run(memories=1).procedure.case
    before = set(key_store().ids())

    def sweep() -> None:
        rows = StoredObject.objects.filter(state=StoredObject.State.PENDING)
        objects.mark_for_destruction(rows, "orphan")
        destroy(StoredObject.objects.all())

    call_at("row", sweep, monkeypatch)
    with pytest.raises(objects.Unwanted) as refusal:
        objects.put(b"a letter", case_id=case.pk, role=StoredObject.Role.ORIGINAL)
    assert refusal.value.key_id not in before
    check_nothing_new(before)
