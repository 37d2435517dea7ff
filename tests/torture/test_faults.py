"""E3 and part of E1: each write of a run fails, or the process is killed at it.

The run is never reported as done when it is not. It is completed once the fault is gone.
"""

from pathlib import Path

import pytest
from django.conf import settings as django_settings
from django.utils import timezone

from clinic.audit.models import Entry
from clinic.audit.verify import verify_log
from erasure.certificates.models import Certificate
from erasure.jobs import certifying
from erasure.jobs.certifying import certify
from erasure.jobs.supervisor import recover
from erasure.jobs.worker import advance
from erasure.runs.lease import HOLDER, free_holder
from erasure.runs.models import Event, Run, Step
from erasure.runs.passes import PASS_COUNT
from patients.cases.models import Case
from patients.keepsakes.ingest import create_keepsake
from patients.keepsakes.models import Keepsake
from patients.vault.configured import key_store
from patients.vault.models import StoredObject
from patients.vault.objects import put, read, storage
from patients.vault.sweep import GRACE_PERIOD, Sweeper
from tests.erasure.verification.ended import verify_here
from tests.factories import jpeg, make_case, make_run
from tests.torture.faults import STRACE, Fault, read_calls, run_traced

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.torture,
    pytest.mark.skipif(STRACE is None, reason="strace injects the faults, and it is not here"),
]

VICTIM = "victim"  # the worker's id
PARTS = 4  # so that pytest-xdist can spread the work over several processes
ERRORS = ("EIO", "ENOSPC", "EACCES")
# The passes between the first two and the last two are alike. Of their calls, one in so many is tried.
STRIDE = 7


@pytest.fixture(autouse=True)
def one_slice(settings: django_settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """The run is one slice, so the child does all of it. It verifies in its own process.

    A separate verifier process writes nothing, so no write of it can fail, and it takes longer than
    all the rest. tests/erasure/verification/test_process.py kills that process.
    """
    settings.LACUNA_SLICE_SECONDS = 600
    settings.LACUNA_LEASE_SECONDS = 600
    monkeypatch.setattr(certifying, "verify_in_subprocess", verify_here)


def run_until_certified(run: Run) -> None:
    """Do what the worker and the supervisor do, from any state. A run that a fault has paused is resumed."""
    recover()
    advance(run.pk, holder=VICTIM)
    certify(run.pk)


def fault_points(log: Path) -> list[tuple[str, int]]:
    """The calls to try, as (name, nth): those of a run without faults, except calls that only repeat others.

    Left out are calls of most passes. Also left out are SQLite's writes of pages to its write-ahead log,
    except the first and the last between two syncs: whichever page is missing, the transaction has not
    happened.
    """
    run = make_run(memories=1)
    assert run_traced(lambda: run_until_certified(run), log) == 0
    check_end(run)
    traced = read_calls(log)
    assert len(traced) > 150, "the tracer saw too little"
    distinct = [
        call
        for before, call, after in zip([None, *traced], traced, [*traced[1:], None], strict=False)
        if not (call.in_log and before and before.in_log and after and after.in_log)
    ]
    length = len(distinct) // (PASS_COUNT + 1)  # about the number of calls in one pass
    first, last = 2 * length, len(distinct) - 3 * length
    chosen = [call for i, call in enumerate(distinct) if i < first or i >= last or i % STRIDE == 0]
    return [(call.name, call.nth) for call in chosen]


def check_claims(run: Run) -> None:
    """Assert that everything the records claim is true, wherever the run stopped."""
    for step in Step.objects.filter(run=run, state=Step.State.DESTROYED):
        ended = StoredObject.objects.filter(doomed_by=f"step:{step.pk}")
        assert not ended.remaining().exists()
        assert not set(ended.values_list("pk", flat=True)) & set(key_store().ids())
    if Certificate.objects.filter(run=run).exists():
        assert list(key_store().ids()) == []
    levels = [event.data["level"] for event in Event.objects.filter(run=run, kind="pass").order_by("seq")]
    assert levels == list(range(1, len(levels) + 1))
    assert verify_log().problems == []


def check_end(run: Run) -> None:
    """Assert that the run is complete, that each action has one log entry, and that nothing is left."""
    run.refresh_from_db()
    assert (run.state, run.outcome) == (Run.State.FINISHED, Run.Outcome.COMPLETE)
    for action in ("memory.destroyed", "run.finished", "keys.rolled", "run.verified", "certificate.issued"):
        assert Entry.objects.filter(action=action, run=run.pk).count() == 1, action
    assert run.certificate.statement["verification"]["result"] == "clean"
    assert not StoredObject.objects.remaining().exists()
    assert list(key_store().ids()) == []
    assert storage().listdir("")[1] == []
    assert verify_log().problems == []


def run_with_fault(fault: Fault, log: Path) -> bool:
    """Do one run with `fault`. Returns whether the fault happened: the number of calls varies a little."""
    run = make_run(memories=1)
    code = run_traced(lambda: run_until_certified(run), log, fault)
    check_claims(run)
    free_holder(VICTIM)
    free_holder(HOLDER)  # the holder that completes the end of a run
    if not Certificate.objects.filter(run=run).exists():
        run_until_certified(run)
    check_end(run)
    return code != 0


@pytest.mark.parametrize("part", range(PARTS))
def test_a_run_is_completed_after_a_kill_at_each_call_that_changes_a_file(part: int, tmp_path: Path) -> None:
    log, happened = tmp_path / "calls", 0
    points = fault_points(log)[part::PARTS]
    for call, nth in points:
        fault = Fault(call, nth)
        try:
            happened += run_with_fault(fault, log)
        except Exception as error:
            error.add_note(f"after {fault}")
            raise
    assert happened > len(points) * 0.5


@pytest.mark.parametrize("part", range(PARTS))
def test_a_run_is_completed_after_a_failure_of_each_call_that_changes_a_file(
    part: int, tmp_path: Path
) -> None:
    log, happened = tmp_path / "calls", 0
    points = fault_points(log)[part::PARTS]
    for i, (call, nth) in enumerate(points):
        fault = Fault(call, nth, ERRORS[i % len(ERRORS)])
        try:
            happened += run_with_fault(fault, log)
        except Exception as error:
            error.add_note(f"after {fault}")
            raise
    assert happened > len(points) * 0.5


def store_keepsake(case: Case, file: bytes) -> None:
    """Do what the upload does once the file is complete."""
    original = put(file, case_id=case.pk, role=StoredObject.Role.ORIGINAL)
    create_keepsake(original, by=case.patient)


def check_stored(case: Case, file: bytes) -> bool:
    """Sweep, and assert that the keepsake is complete or has left no byte. Returns whether it is there."""
    sweeper, now = Sweeper(), timezone.now()
    for _sweep in range(3):
        now += 2 * GRACE_PERIOD
        sweeper.sweep(set(), now)
    living = StoredObject.objects.filter(case=case).exclude(role=StoredObject.Role.SEAL)
    keepsake = Keepsake.objects.filter(case=case).first()
    if keepsake is None:
        assert not living.remaining().exists()
    else:
        assert read(living.get(role=StoredObject.Role.ORIGINAL)) == file
        assert {row.state for row in living} == {StoredObject.State.LIVE}
    rows = StoredObject.objects.remaining()
    assert set(key_store().ids()) == set(rows.values_list("pk", flat=True))
    assert storage().listdir("")[1] == sorted(row.blob for row in rows if row.blob)
    assert verify_log().problems == []
    return keepsake is not None


@pytest.mark.parametrize("error", ["", *ERRORS], ids=lambda error: error or "SIGKILL")
def test_an_upload_is_stored_completely_or_not_at_all(error: str, tmp_path: Path) -> None:
    log, file, case = tmp_path / "calls", jpeg(), make_case()
    assert run_traced(lambda: store_keepsake(case, file), log) == 0
    assert check_stored(case, file)
    points, stored = read_calls(log), 0
    for call in points:
        fault, case = Fault(call.name, call.nth, error), make_case()
        code = run_traced(lambda case=case: store_keepsake(case, file), log, fault)
        try:
            is_stored = check_stored(case, file)
        except Exception as failure:
            failure.add_note(f"after {fault}")
            raise
        assert is_stored or code != 0, f"reported as stored, and it is not, after {fault}"
        stored += is_stored
    assert stored < len(points)
