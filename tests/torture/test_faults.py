"""E3, and the rest of E1: each write of a night fails or is the last thing its process does.

Never reported done when it isn't; done once the fault has cleared.
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
from tests.torture.faults import STRACE, Fault, calls, suffer

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.torture,
    pytest.mark.skipif(STRACE is None, reason="strace injects the faults, and it is not here"),
]

VICTIM = "victim"
PARTS = 4  # so that several processes of the suite share the work
ERRORS = ("EIO", "ENOSPC", "EACCES")
# The passes between the first two and the last two are all alike: of their calls every so many.
STRIDE = 7


@pytest.fixture(autouse=True)
def one_slice(settings: django_settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """A night of one slice: the child goes as far as it can.

    It verifies itself: a verifier of its own writes nothing, so nothing of it can fail here, and takes longer
    than all the rest. tests/erasure/verification/test_process.py kills that one.
    """
    settings.LACUNA_SLICE_SECONDS = 600
    settings.LACUNA_LEASE_SECONDS = 600
    monkeypatch.setattr(certifying, "verify_in_subprocess", verify_here)


def night(run: Run) -> None:
    """All that worker and supervisor do, from wherever it stands. A night that a fault has paused goes on."""
    recover()
    advance(run.pk, holder=VICTIM)
    certify(run.pk)


def script(log: Path) -> list[tuple[str, int]]:
    """The calls of a night in which nothing fails, without what only repeats others.

    That is most of the passes, and of SQLite's pages between two syncs of its log of writes all but the first
    and the last: whatever page it is, the transaction has not happened.
    """
    run = make_run(memories=1)
    assert suffer(lambda: night(run), log) == 0
    check_end(run)
    made = calls(log)
    assert len(made) > 150, "the tracer saw too little"
    edges = [
        call
        for before, call, after in zip([None, *made], made, [*made[1:], None], strict=False)
        if not (call.in_log and before and before.in_log and after and after.in_log)
    ]
    length = len(edges) // (PASS_COUNT + 1)  # about a pass
    first, last = 2 * length, len(edges) - 3 * length
    chosen = [call for i, call in enumerate(edges) if i < first or i >= last or i % STRIDE == 0]
    return [(call.name, call.nth) for call in chosen]


def check_so_far(run: Run) -> None:
    """What is said is so, wherever it stopped."""
    for step in Step.objects.filter(run=run, state=Step.State.DESTROYED):
        ended = StoredObject.objects.filter(doomed_by=f"step:{step.pk}")
        assert not ended.remaining().exists()
        assert not set(ended.values_list("pk", flat=True)) & set(key_store().ids())
    if Certificate.objects.filter(run=run).exists():
        assert list(key_store().ids()) == []
    told = [event.data["level"] for event in Event.objects.filter(run=run, kind="pass").order_by("seq")]
    assert told == list(range(1, len(told) + 1))
    assert verify_log().problems == []


def check_end(run: Run) -> None:
    """Complete, each thing said once, nothing left."""
    run.refresh_from_db()
    assert (run.state, run.outcome) == (Run.State.FINISHED, Run.Outcome.COMPLETE)
    for action in ("memory.destroyed", "run.finished", "keys.rolled", "run.verified", "certificate.issued"):
        assert Entry.objects.filter(action=action, run=run.pk).count() == 1, action
    assert run.certificate.statement["verification"]["result"] == "clean"
    assert not StoredObject.objects.remaining().exists()
    assert list(key_store().ids()) == []
    assert storage().listdir("")[1] == []
    assert verify_log().problems == []


def endure(fault: Fault, log: Path) -> bool:
    """One night with `fault`; whether it was felt at all (a night's calls vary a little in number)."""
    run = make_run(memories=1)
    code = suffer(lambda: night(run), log, fault)
    check_so_far(run)
    free_holder(VICTIM)
    free_holder(HOLDER)  # under which the end of a night is settled
    if not Certificate.objects.filter(run=run).exists():
        night(run)
    check_end(run)
    return code != 0


@pytest.mark.parametrize("part", range(PARTS))
def test_killed_at_each_call_that_changes_a_file(part: int, tmp_path: Path) -> None:
    log, felt = tmp_path / "calls", 0
    points = script(log)[part::PARTS]
    for call, nth in points:
        fault = Fault(call, nth)
        try:
            felt += endure(fault, log)
        except Exception as error:
            error.add_note(f"after {fault}")
            raise
    assert felt > len(points) * 0.5


@pytest.mark.parametrize("part", range(PARTS))
def test_each_call_that_changes_a_file_fails(part: int, tmp_path: Path) -> None:
    log, felt = tmp_path / "calls", 0
    points = script(log)[part::PARTS]
    for i, (call, nth) in enumerate(points):
        fault = Fault(call, nth, ERRORS[i % len(ERRORS)])
        try:
            felt += endure(fault, log)
        except Exception as error:
            error.add_note(f"after {fault}")
            raise
    assert felt > len(points) * 0.5


def bring(case: Case, file: bytes) -> None:
    """What the upload does with a file that is there whole."""
    original = put(file, case_id=case.pk, role=StoredObject.Role.ORIGINAL)
    create_keepsake(original, by=case.patient)


def check_brought(case: Case, file: bytes) -> bool:
    """Once the sweep has been round: the keepsake is there and whole, or there is no byte of it. Which?"""
    rounds, now = Sweeper(), timezone.now()
    for _round in range(3):
        now += 2 * GRACE_PERIOD
        rounds.sweep(set(), now)
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
def test_what_is_brought_is_there_whole_or_not_at_all(error: str, tmp_path: Path) -> None:
    log, file, case = tmp_path / "calls", jpeg(), make_case()
    assert suffer(lambda: bring(case, file), log) == 0
    assert check_brought(case, file)
    points, taken = calls(log), 0
    for call in points:
        fault, case = Fault(call.name, call.nth, error), make_case()
        code = suffer(lambda case=case: bring(case, file), log, fault)
        try:
            there = check_brought(case, file)
        except Exception as failure:
            failure.add_note(f"after {fault}")
            raise
        assert there or code != 0, f"said to be taken, and is not there, after {fault}"
        taken += there
    assert taken < len(points)
