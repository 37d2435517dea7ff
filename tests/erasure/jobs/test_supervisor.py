"""The supervisor's work: two supervisors at once, deleted task rows, and refused starts."""

from collections.abc import Callable
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from django.utils import timezone
from django_tasks_db.models import DBTaskResult

from clinic.accounts.models import User
from clinic.calendar.board import Span
from clinic.unavailable import ServiceUnavailable
from erasure.jobs import supervisor
from erasure.jobs.supervisor import end_stopped, forget_old_tasks, start_due, wake_due
from erasure.jobs.tasks import enqueue_run
from erasure.procedures.models import Procedure
from erasure.runs.board_entries import needs
from erasure.runs.control import abort
from erasure.runs.lease import claim
from erasure.runs.models import DoctorCall, Run
from patients.consent.models import Signature
from patients.memories.models import Memory
from tests.factories import make_case, make_keepsake, make_memory, make_procedure, make_run

pytestmark = pytest.mark.django_db(transaction=True)


def test_each_due_run_is_enqueued_once(monkeypatch: pytest.MonkeyPatch) -> None:
    runs = [make_run(1), make_run(1)]
    enqueued: list[UUID] = []
    monkeypatch.setattr(supervisor, "enqueue_run", enqueued.append)
    assert wake_due() == 2
    assert sorted(enqueued) == sorted(run.pk for run in runs)


def claim_all() -> None:
    for run in Run.objects.all():
        claim(run.pk)


@pytest.mark.parametrize("meanwhile", [wake_due, claim_all], ids=["another supervisor", "a worker"])
def test_a_run_that_another_process_has_taken_is_not_enqueued(
    meanwhile: Callable[[], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """After this supervisor listed the due runs, another one enqueued them, or a worker claimed them."""
    make_run(1)
    make_run(1)
    enqueued: list[UUID] = []

    def enqueue(run_id: UUID) -> None:
        enqueued.append(run_id)
        if len(enqueued) == 1:
            meanwhile()

    monkeypatch.setattr(supervisor, "enqueue_run", enqueue)
    assert wake_due() == 1
    assert len(enqueued) == len(set(enqueued))


def test_only_old_task_rows_are_deleted() -> None:
    now = timezone.now()
    old, new = now - timedelta(minutes=6), now - timedelta(minutes=1)
    for _row in range(5):
        enqueue_run(uuid4())
    waiting, running, done, lost, deleted = DBTaskResult.objects.values_list("pk", flat=True)
    for row, started, finished in [
        (running, new, None),
        (done, new, now),
        (lost, old, None),
        (deleted, old, old),
    ]:
        DBTaskResult.objects.filter(pk=row).update(started_at=started, finished_at=finished)
    DBTaskResult.objects.filter(pk=waiting).update(enqueued_at=old)
    forget_old_tasks()
    assert set(DBTaskResult.objects.values_list("pk", flat=True)) == {waiting, running, done}


def make_refused() -> Procedure:
    """A procedure that is due, but whose memories are no longer those on the signed map."""
    case = make_case()
    memory = make_memory(case)
    make_keepsake(memory)
    procedure = make_procedure(case)
    Memory.objects.filter(pk=memory.pk).update(number=7)
    return procedure


def test_a_run_that_may_not_start_is_logged_once_for_each_cause(caplog: pytest.LogCaptureFixture) -> None:
    procedure = make_refused()
    with caplog.at_level("INFO"):
        for _round in range(20):
            assert start_due() == 0
    assert [record.getMessage() for record in caplog.records] == [
        f"procedure {procedure.pk} cannot start: The memories are no longer those on the signed map."
    ]
    caplog.clear()
    Signature.objects.filter(procedures=procedure).update(withdrawn_at=timezone.now())
    for _round in range(20):
        start_due()
    assert [record.getMessage() for record in caplog.records] == [
        f"procedure {procedure.pk} cannot start: The patient's consent is no longer in force."
    ]


def test_the_day_board_says_why_a_run_may_not_start() -> None:
    procedure = make_refused()
    doctor = User.objects.get(resources__bookings=procedure.booking, grants__role="doctor")
    now = timezone.localtime()
    day = Span(now - timedelta(hours=1), now + timedelta(hours=1))
    (need,) = needs(day, doctor)
    at = timezone.localtime(procedure.booking.starts_at)
    assert str(need.text) == (
        f"Was to begin at {at:%H:%M} and cannot. The memories are no longer those on the signed map."
    )


def test_a_run_without_storage_does_not_delay_other_runs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first, second = make_run(1), make_run(1)
    for run in (first, second):
        abort(run.pk, by=None, reason="medical")
    real_close = supervisor.close_gone_steps

    def close(run_id: UUID) -> None:
        if run_id == first.pk:
            raise ServiceUnavailable("away")
        real_close(run_id)

    monkeypatch.setattr(supervisor, "close_gone_steps", close)
    with pytest.raises(ServiceUnavailable):
        end_stopped()
    states = dict(Run.objects.values_list("pk", "state"))
    assert states == {first.pk: Run.State.STOPPING, second.pk: Run.State.FINISHED}
    monkeypatch.undo()
    assert end_stopped() == 1
    assert [event.kind for event in first.events.order_by("seq")][-3:] == [
        "doctor-called",
        "finished",
        "storage-back",
    ]
    assert not DoctorCall.objects.filter(acknowledged_at__isnull=True).exists()
