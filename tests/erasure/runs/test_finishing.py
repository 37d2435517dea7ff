"""The conditions for closing a step, finishing a run, and claiming or releasing its lease."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.utils import timezone

from clinic.audit.models import Entry
from erasure.jobs.supervisor import end_stopped
from erasure.jobs.worker import finish_if_over, next_step, take_turn
from erasure.procedures.models import Procedure
from erasure.runs import control, finishing, lease
from erasure.runs.finishing import close_gone_steps, close_step, finish
from erasure.runs.lease import claim, claimed_run, free_expired, free_holder, heartbeat, release
from erasure.runs.models import Fence, Run, Step
from erasure.runs.passes import PASS_COUNT, make_pass
from erasure.runs.run_actions import after
from patients.cases.models import Case
from patients.consent.models import Signature
from patients.consent.signing import withdraw
from patients.keepsakes.models import Keepsake
from patients.vault.models import StoredObject
from patients.vault.objects import mark_for_destruction, put
from tests.erasure.runs.nights import doctor_of, event_kinds, spare_all_steps
from tests.factories import make_run

pytestmark = pytest.mark.django_db(transaction=True)

State = Step.State


def make_fence(run: Run) -> Fence:
    fence = claim(run.pk)
    assert fence
    return fence


def make_passes(run: Run, count: int = PASS_COUNT) -> Step:
    """Do `count` passes of a run's newest memory. Its step stays open."""
    fence, step = make_fence(run), next_step(run.pk)
    assert step
    for _pass in range(count):
        make_pass(fence, Step.objects.select_related("memory").get(pk=step.pk), due=run.next_due_at)
    release(fence)
    return Step.objects.select_related("memory").get(pk=step.pk)


def state_of(run: Run) -> str:
    return Run.objects.values_list("state", flat=True).get(pk=run.pk)


def count_entries(run: Run, action: str) -> int:
    return Entry.objects.filter(run=run.pk, action=action).count()


def test_a_step_is_closed_once_and_alone() -> None:
    run = make_run(2)
    step = make_passes(run)
    assert close_step(step)
    assert not close_step(step)
    assert count_entries(run, "memory.destroyed") == 1
    assert list(run.steps.values_list("state", flat=True)) == [State.DESTROYED, State.WAITING]


@pytest.mark.parametrize(
    ("level", "state"), [(PASS_COUNT - 1, State.FADING), (PASS_COUNT, State.SPARED), (PASS_COUNT, State.HELD)]
)
def test_a_step_that_is_not_fully_faded_is_not_closed(level: int, state: str) -> None:
    run = make_run(1)
    step = make_passes(run, 1)
    Step.objects.update(level=level, state=state)
    assert not close_step(step)
    assert run.steps.get().state == state
    assert count_entries(run, "memory.destroyed") == 0


def test_a_step_is_not_closed_while_an_object_of_it_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    run = make_run(1)
    step = make_passes(run)
    left = StoredObject.objects.get(pk=run.procedure.case_id)
    mark_for_destruction(StoredObject.objects.filter(pk=left.pk), f"step:{step.pk}")
    points: list[str] = []
    with monkeypatch.context() as patched:
        patched.setattr(finishing, "destroy", lambda rows: None)
        patched.setattr(finishing, "hit", points.append)
        assert not close_step(step)
    assert points == [], "the case's key is not rolled needlessly"
    assert count_entries(run, "memory.destroyed") == 0
    assert close_step(step)


def test_a_step_is_not_closed_if_an_object_appears_at_the_last_moment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run = make_run(1)
    step = make_passes(run)

    def hit(label: str) -> None:
        if label == "case-rolled":
            mark_for_destruction(StoredObject.objects.filter(pk=run.procedure.case_id), f"step:{step.pk}")

    monkeypatch.setattr(finishing, "hit", hit)
    assert not close_step(step)
    assert count_entries(run, "memory.destroyed") == 0


def test_only_fully_faded_steps_of_this_run_are_closed() -> None:
    run, other = make_run(2), make_run(1)
    make_passes(run)
    make_passes(other)
    close_gone_steps(run.pk)
    assert list(run.steps.values_list("state", flat=True)) == [State.DESTROYED, State.WAITING]
    assert other.steps.get().state == State.FADING


def test_a_worker_closes_a_step_that_another_has_faded() -> None:
    run = make_run(2)
    make_passes(run)
    assert take_turn(make_fence(run))
    assert list(run.steps.values_list("state", "level")) == [
        (State.DESTROYED, PASS_COUNT),
        (State.WAITING, 0),
    ]


@pytest.mark.parametrize("state", [State.WAITING, State.FADING, State.HELD])
def test_a_run_with_an_open_step_is_not_finished(state: str) -> None:
    run = make_run(1)
    Step.objects.update(state=state)
    assert not finish(run.pk)
    assert not finish_if_over(run)
    assert (state_of(run), run.steps.get().state) == (Run.State.RUNNING, state)
    assert count_entries(run, "run.finished") == 0


def test_a_paused_run_is_not_finished() -> None:
    run = make_run(1)
    spare_all_steps(run)
    Run.objects.update(state=Run.State.PAUSED)
    assert not finish(run.pk)
    assert state_of(run) == Run.State.PAUSED


def test_a_run_is_finished_once_and_alone() -> None:
    run, other = make_run(1), make_run(1)
    spare_all_steps(run)
    assert finish(run.pk)
    assert not finish(run.pk)
    assert count_entries(run, "run.finished") == 1
    run.refresh_from_db()
    assert (run.state, run.outcome) == (Run.State.FINISHED, Run.Outcome.PARTIAL)
    assert Procedure.objects.get(pk=run.procedure_id).state == Procedure.State.DONE
    assert Case.objects.get(pk=run.procedure.case_id).stage == Case.Stage.CLOSED
    assert state_of(other) == Run.State.RUNNING
    assert Procedure.objects.get(pk=other.procedure_id).state == Procedure.State.STARTED
    assert Case.objects.get(pk=other.procedure.case_id).stage == Case.Stage.RUNNING
    doomed = StoredObject.objects.doomed()
    assert set(doomed.values_list("pk", flat=True)) == {run.procedure.case_id}


def test_a_stopped_run_spares_open_steps_after_faded_ones_are_closed() -> None:
    run, other = make_run(3), make_run(1)
    make_passes(run)
    Step.objects.filter(run=run, position=1).update(state=State.HELD)
    control.abort(run.pk, by=doctor_of(run), reason="doubt")
    assert not finish(run.pk), "a step is fully faded and not yet closed"
    assert end_stopped() == 1
    assert list(run.steps.values_list("state", "spared_because")) == [
        (State.DESTROYED, ""),
        (State.SPARED, "abort"),
        (State.SPARED, "abort"),
    ]
    run.refresh_from_db()
    assert run.outcome == Run.Outcome.STOPPED
    (finished,) = Entry.objects.filter(run=run.pk, action="run.finished")
    assert finished.details == {"outcome": "stopped", "destroyed": 1, "spared": 2}
    assert Case.objects.get(pk=run.procedure.case_id).stage == Case.Stage.MAPPED
    assert other.steps.get().state == State.WAITING


def test_a_case_that_was_withdrawn_stays_so() -> None:
    run = make_run(1)
    control.stop_unconsented(run.pk)
    Case.objects.update(stage=Case.Stage.WITHDRAWN)
    assert finish(run.pk)
    assert Case.objects.get().stage == Case.Stage.WITHDRAWN


def test_a_case_that_is_withdrawn_while_its_run_is_being_aborted_stays_so() -> None:
    run = make_run(1)
    patient = run.procedure.case.patient
    assert control.abort(run.pk, by=doctor_of(run), reason="patient").changed
    withdraw(run.procedure.case, by=patient)
    assert finish(run.pk)
    case = Case.objects.get()
    assert (case.stage, case.closed_at is None) == (Case.Stage.WITHDRAWN, False)


def test_faded_steps_of_a_paused_run_are_closed_without_finishing_it() -> None:
    run = make_run(1)
    make_passes(run)
    control.pause(run.pk, by=None)
    assert end_stopped() == 0
    assert run.steps.get().state == State.DESTROYED
    assert state_of(run) == Run.State.PAUSED


def test_a_lease_belongs_to_one_worker() -> None:
    run, other = make_run(1), make_run(1)
    fence = make_fence(run)
    assert claim(run.pk) is None
    assert claimed_run(fence).get() == run
    assert not claimed_run(Fence(run.pk, fence.epoch - 1)).exists()
    assert not heartbeat(Fence(run.pk, fence.epoch - 1))
    release(Fence(run.pk, fence.epoch - 1))
    assert claimed_run(fence).exists()
    Run.objects.filter(pk=other.pk).update(epoch=fence.epoch, lease_until=after(60), lease_holder="x")
    release(fence)
    row = Run.objects.get(pk=other.pk)
    assert (row.lease_holder, row.lease_until is None) == ("x", False)
    second_fence = make_fence(run)
    assert second_fence.epoch == fence.epoch + 1
    assert not claimed_run(fence).exists()


@pytest.mark.parametrize("state", [Run.State.PAUSED, Run.State.STOPPING, Run.State.FINISHED])
def test_only_a_running_run_is_claimed(state: str) -> None:
    run = make_run(1)
    Run.objects.update(state=state, outcome="stopped", finished_at=timezone.now())
    assert claim(run.pk) is None
    assert Run.objects.get().epoch == run.epoch


def test_leases_of_a_dead_process_are_released_with_a_new_epoch() -> None:
    run, other, third = make_run(1), make_run(1), make_run(1)
    assert claim(run.pk, "dead")
    assert claim(other.pk, "alive")
    assert free_holder("dead") == 1
    assert free_holder("dead") == 0
    rows = dict(Run.objects.values_list("pk", "epoch"))
    assert (rows[run.pk], rows[other.pk], rows[third.pk]) == (2, 1, 0)
    Run.objects.filter(pk=other.pk).update(lease_until=after(-1))
    assert free_expired() == 1
    assert free_expired() == 0
    rows = dict(Run.objects.values_list("pk", "epoch"))
    assert (rows[run.pk], rows[other.pk], rows[third.pk]) == (2, 2, 0)


@pytest.mark.parametrize("why", ["fenced off", "paused", "not due"])
def test_a_worker_does_nothing_if_fenced_off_or_paused_or_not_due(why: str) -> None:
    run = make_run(1)
    fence = make_fence(run)
    if why == "fenced off":
        fence = Fence(run.pk, fence.epoch - 1)
    elif why == "paused":
        Run.objects.update(state=Run.State.PAUSED)
    else:
        Run.objects.update(next_due_at=after(60))
    keepsake = Keepsake.objects.get()
    frame = put(
        b"a frame", case_id=keepsake.case_id, keepsake_id=keepsake.pk, role=StoredObject.Role.FRAME, level=1
    )
    assert not take_turn(fence)
    assert event_kinds(run) == ["started"]
    frame.refresh_from_db()
    assert frame.state == StoredObject.State.PENDING, "the frame that its successor is making stays"


def test_a_worker_that_finds_no_consent_stops_the_run() -> None:
    run, other = make_run(1), make_run(1)
    Signature.objects.filter(procedures__run=run).update(withdrawn_at=timezone.now() - timedelta(seconds=1))
    assert not take_turn(make_fence(run))
    row = Run.objects.get(pk=run.pk)
    assert (row.state, row.why) == (Run.State.STOPPING, Run.Why.WITHDRAWN)
    assert state_of(other) == Run.State.RUNNING


def test_an_unknown_run_is_not_claimed() -> None:
    make_run(1)
    assert claim(uuid4()) is None


def test_a_claim_fails_if_another_worker_claimed_the_run_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another worker claims and releases the run between this one's query and its update."""
    other, run = make_run(1), make_run(1)
    Run.objects.filter(pk=other.pk).update(epoch=7)
    real = lease.lease_end

    def overtaken() -> object:
        monkeypatch.setattr(lease, "lease_end", real)
        release(make_fence(run))
        return real()

    monkeypatch.setattr(lease, "lease_end", overtaken)
    assert claim(run.pk) is None
    assert make_fence(run).epoch == 2
    assert make_fence(other).epoch == 8
