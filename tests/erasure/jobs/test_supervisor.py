"""The supervisor's rounds where two of them run at once, and what it throws away."""

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


def test_a_worker_is_asked_once_for_each_night_that_is_due(monkeypatch: pytest.MonkeyPatch) -> None:
    runs = [make_run(1), make_run(1)]
    asked: list[UUID] = []
    monkeypatch.setattr(supervisor, "enqueue_run", asked.append)
    assert wake_due() == 2
    assert sorted(asked) == sorted(run.pk for run in runs)


def claim_all() -> None:
    for run in Run.objects.all():
        claim(run.pk)


@pytest.mark.parametrize("meanwhile", [wake_due, claim_all], ids=["another supervisor", "a worker"])
def test_nobody_is_asked_for_a_night_that_another_has_seen_to(
    meanwhile: Callable[[], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between this supervisor's look and its turn another one asked, or a worker came."""
    make_run(1)
    make_run(1)
    asked: list[UUID] = []

    def ask(run_id: UUID) -> None:
        asked.append(run_id)
        if len(asked) == 1:
            meanwhile()

    monkeypatch.setattr(supervisor, "enqueue_run", ask)
    assert wake_due() == 1
    assert len(asked) == len(set(asked))


def test_the_engines_rows_are_forgotten_when_they_are_old_and_not_before() -> None:
    now = timezone.now()
    old, new = now - timedelta(minutes=6), now - timedelta(minutes=1)
    for _row in range(5):
        enqueue_run(uuid4())
    waiting, at_work, done, lost, forgotten = DBTaskResult.objects.values_list("pk", flat=True)
    for row, started, finished in [
        (at_work, new, None),
        (done, new, now),
        (lost, old, None),
        (forgotten, old, old),
    ]:
        DBTaskResult.objects.filter(pk=row).update(started_at=started, finished_at=finished)
    DBTaskResult.objects.filter(pk=waiting).update(enqueued_at=old)
    forget_old_tasks()
    assert set(DBTaskResult.objects.values_list("pk", flat=True)) == {waiting, at_work, done}


def make_refused() -> Procedure:
    """A night whose hour has come and whose memories are no longer those that were signed for."""
    case = make_case()
    memory = make_memory(case)
    make_keepsake(memory)
    procedure = make_procedure(case)
    Memory.objects.filter(pk=memory.pk).update(number=7)
    return procedure


def test_a_night_that_may_not_start_is_logged_once_for_each_cause(caplog: pytest.LogCaptureFixture) -> None:
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


def test_the_board_says_why_a_night_may_not_start_from_its_first_minute() -> None:
    procedure = make_refused()
    doctor = User.objects.get(resources__bookings=procedure.booking, grants__role="doctor")
    now = timezone.localtime()
    day = Span(now - timedelta(hours=1), now + timedelta(hours=1))
    (need,) = needs(day, doctor)
    at = timezone.localtime(procedure.booking.starts_at)
    assert str(need.text) == (
        f"Was to begin at {at:%H:%M} and cannot. The memories are no longer those on the signed map."
    )


def test_one_night_whose_storage_is_away_holds_up_no_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first, second = make_run(1), make_run(1)
    for run in (first, second):
        abort(run.pk, by=None, reason="medical")
    real = supervisor.close_gone_steps

    def close(run_id: UUID) -> None:
        if run_id == first.pk:
            raise ServiceUnavailable("away")
        real(run_id)

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
