"""E7: a process frozen at any labelled point and thawed after the certificate leaves nothing that opens."""

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
from tests.erasure.runs.nights import POINTS, check_end, stopped
from tests.factories import make_run
from tests.house import House, certified, house, progress, until, until_certified
from tests.patients.vault.tokens import MODULE, PIN, token

__all__ = ["token"]

pytestmark = pytest.mark.django_db(transaction=True)

# The points of a night on keys in a database and a token, which come beside those of passes and closes.
TOKEN_POINTS = {
    "making frames": ["row:2", "create.written:2", "create.durable:2", "key:3"],
    "destroying": ["destroy.written:3", "destroy.durable:2", "key-destroyed:2"],
    "ending": ["roll.key-made", "roll.rows-written", "roll.committed", "roll.old-key-destroyed", "rolled"],
}
NIGHTS = [pytest.param("slots", points, id=f"slots-{name}") for name, points in POINTS.items()] + [
    pytest.param("database", points, id=f"token-{name}", marks=pytest.mark.only_on("postgresql"))
    for name, points in TOKEN_POINTS.items()
]
Process = subprocess.Popen[bytes]


@pytest.fixture
def processes() -> Iterator[House]:
    with house() as mine:
        yield mine


@pytest.fixture
def kept_in(request: pytest.FixtureRequest, settings: django_settings) -> dict[str, str]:
    """Keep the keys where the test's parameter says; return what other processes need to know of it."""
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
@pytest.mark.parametrize(("keys", "points"), NIGHTS)
def test_e7_frozen_at_any_point_and_thawed_after_the_certificate(
    keys: str, points: list[str], kept_in: dict[str, str], processes: House
) -> None:
    """One night in which a process freezes at each point, the next one goes on, and all thaw at its end.

    At some points a process holds a lock that the end of the night needs: no certificate comes before it
    thaws, which is shown by that lock. It is killed then, so that the night can go on to the next point.
    """
    run = make_run(memories=3, letters=1)
    env = {"LACUNA_LEASE_SECONDS": "1", **kept_in}
    frozen: list[Process] = []
    reached = set()
    for point in points:
        both = [
            start(LACUNA_POINT=point, LACUNA_POINT_SIGNAL="STOP", **env)
            for start in (processes.worker, processes.supervisor)
        ]
        until(
            lambda both=both: any(stopped(one.pid) for one in both) or certified(run),
            f"somebody freezes at {point}",
            progress,
        )
        still = [one for one in both if stopped(one.pid)]
        for one in both:
            if one not in still:
                one.kill()
                one.wait()
        assert still, f"nobody froze at {point}: the label is not reached"
        reached.add(point)
        if holds_what_the_end_needs():
            assert not certified(run)
            for one in still:
                one.kill()
                one.wait()
        else:
            frozen += still
    processes.worker(**env)
    processes.supervisor(**env)
    until_certified(run, f"the night ends beside those frozen at {points}")
    for one in frozen:
        assert stopped(one.pid)
        os.kill(one.pid, signal.SIGCONT)
        one.terminate()  # a worker ends its task first, a supervisor its round
    for one in frozen:
        until(lambda one=one: one.poll() is not None, "what thawed has done all that it was about to do")
    check_end(run)
    assert run.certificate.statement["verification"]["result"] == "clean"


def holds_what_the_end_needs() -> bool:
    """Whether somebody holds a lock without which no night can be finished, rolled or recorded."""
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


def begun() -> tuple[Run, Fence, Step]:
    run = make_run(memories=1, letters=1)
    fence, step = claim(run.pk, "slow"), next_step(run.pk)
    assert fence
    assert step
    return run, fence, step


def at(label: str, act: Callable[[], object], monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Do `act` when an object comes to `label` for the first time; return the labels that were reached."""
    reached: list[str] = []

    def hit(here: str) -> None:
        reached.append(here)
        if here == label and reached.count(label) == 1:
            act()

    monkeypatch.setattr(objects, "hit", hit)
    return reached


def nothing_new(before: set[Any]) -> None:
    """No frame is left that was not there before, and no file without a key."""
    assert set(key_store().ids()) == before
    rows = StoredObject.objects.filter(pk__in=before).exclude(blob="")
    assert storage().traces() == set(rows.values_list("blob", flat=True))
    assert not StoredObject.objects.filter(state=StoredObject.State.PENDING).exists()


@pytest.mark.parametrize("label", ["row", "key", "file"])
def test_e7_a_frame_that_others_ended_gets_no_key_and_no_file(
    label: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, fence, step = begun()
    before = set(key_store().ids())

    def successor() -> None:
        free_holder("slow")
        new = claim(run.pk, "quick")
        assert new
        monkeypatch.setattr(objects, "hit", lambda label: None)
        passes.clear_leftovers(new, step, keepsakes_of(step))

    at(label, successor, monkeypatch)
    with pytest.raises(Refused):
        make_pass(fence, step, due=run.next_due_at)
    nothing_new(before)


def test_e7_no_frame_begins_without_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a worker that thaws before the row is made, nothing is stored at all."""
    run, fence, step = begun()
    rows = StoredObject.objects.count()
    monkeypatch.setattr(passes, "hit", lambda label: free_holder("slow") if label == "cleared" else None)
    with pytest.raises(Refused):
        make_pass(fence, step, due=run.next_due_at)
    assert StoredObject.objects.count() == rows


def test_e7_who_has_lost_the_run_leaves_the_frames_of_its_successor() -> None:
    run, fence, step = begun()
    free_holder("slow")
    new = claim(run.pk, "quick")
    assert new
    keepsake = keepsakes_of(step)[0]

    def store(data: bytes, **fields: Any) -> StoredObject:
        return objects.put(data, permitted=lambda: may_store(new), **fields)

    made = passes.next_frame(keepsake, last=False, store=store).objects
    with pytest.raises(Refused):
        make_pass(fence, step, due=run.next_due_at)
    pending = StoredObject.objects.filter(state=StoredObject.State.PENDING)
    assert set(pending) == set(made)


@pytest.mark.parametrize("lost", [{"epoch": 7}, {"lease_until": None}, {"state": Run.State.PAUSED}])
def test_e7_no_row_of_a_frame_is_made_once_the_run_is_lost(lost: dict[str, Any]) -> None:
    run, fence, step = begun()
    keepsake = keepsakes_of(step)[0]
    before, rows = set(key_store().ids()), StoredObject.objects.count()
    Run.objects.filter(pk=run.pk).update(**lost)

    def store(data: bytes, **fields: Any) -> StoredObject:
        return objects.put(data, permitted=lambda: may_store(fence), **fields)

    with pytest.raises(objects.Unwanted):
        passes.next_frame(keepsake, last=False, store=store)
    assert StoredObject.objects.count() == rows
    nothing_new(before)


def test_e7_the_end_of_a_run_dooms_the_frames_that_nobody_finished(monkeypatch: pytest.MonkeyPatch) -> None:
    """A memory that was protected while its frame was being made is not worked on again."""
    run, fence, step = begun()
    before = set(key_store().ids())

    def night_ends() -> None:
        monkeypatch.setattr(objects, "hit", lambda label: None)
        Run.objects.filter(pk=run.pk).update(state=Run.State.STOPPING, why=Run.Why.ABORT)
        assert finish(run.pk)
        assert not StoredObject.objects.filter(state=StoredObject.State.PENDING).exists()
        destroy(StoredObject.objects.all())

    at("row", night_ends, monkeypatch)
    with pytest.raises(Refused):
        make_pass(fence, step, due=run.next_due_at)
    nothing_new(before)


def test_e7_an_upload_that_the_sweep_ended_gets_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    case = make_run(memories=1).procedure.case
    before = set(key_store().ids())

    def swept() -> None:
        rows = StoredObject.objects.filter(state=StoredObject.State.PENDING)
        objects.mark_for_destruction(rows, "orphan")
        destroy(StoredObject.objects.all())

    at("row", swept, monkeypatch)
    with pytest.raises(objects.Unwanted) as refusal:
        objects.put(b"a letter", case_id=case.pk, role=StoredObject.Role.ORIGINAL)
    assert refusal.value.key_id not in before
    nothing_new(before)
