"""What people may do with a run in each of its states, and what that changes."""

from collections.abc import Callable

import pytest

from clinic.accounts.models import User
from erasure.runs import control, handover
from erasure.runs.models import DoctorCall, Run, Step
from erasure.runs.passes import PASS_COUNT
from erasure.runs.run_actions import NotNow, counts_as_attending
from patients.memories.models import Memory
from tests.erasure.runs.nights import actors_of, doctor_of, event_kinds, leave_unattended, technician_of
from tests.factories import make_doctor, make_run, make_technician, make_user

pytestmark = pytest.mark.django_db(transaction=True)

State, Why = Run.State, Run.Why
Action = Callable[[Run, User], object]

ACTIONS: dict[str, Action] = {
    "pause": lambda run, by: control.pause(run.pk, by=by),
    "resume": lambda run, by: control.resume(run.pk, by=by),
    "protect": lambda run, by: control.protect(run.pk, Memory.objects.all()[0].pk, by=by),
    "call": lambda run, by: control.call_doctor(run.pk, by=by),
    "safe word": lambda run, by: control.safe_word(run.pk, by=by),
    "abort": lambda run, by: control.abort(run.pk, by=by, reason="doubt"),
    "take over": lambda run, by: handover.take_over(run.pk, by=by),
    "hand back": lambda run, by: handover.hand_back(run.pk, by=by),
    "offer": lambda run, by: handover.offer(run.pk, by.pk, by=by),
    "accept": lambda run, by: handover.accept(run.pk, by=by),
}


def set_state(run: Run, state: str, why: str = "") -> None:
    ended = {"outcome": "stopped", "finished_at": run.started_at} if state == State.FINISHED else {}
    Run.objects.filter(pk=run.pk).update(state=state, why=why, **ended)


def fields_of(run: Run) -> tuple[object, ...]:
    row = Run.objects.get(pk=run.pk)
    return row.state, row.why, row.held_by_id, row.epoch, row.last_seq


@pytest.mark.parametrize("action", ACTIONS)
def test_every_action_on_a_finished_run_is_refused(action: str) -> None:
    run = make_run(1)
    set_state(run, State.FINISHED)
    before = fields_of(run)
    with pytest.raises(NotNow, match=r"^This session is over\.$"):
        ACTIONS[action](run, doctor_of(run))
    assert fields_of(run) == before
    assert not DoctorCall.objects.exists()


def test_a_stopping_run_cannot_be_paused_resumed_or_stopped_again() -> None:
    run = make_run(1)
    doctor = doctor_of(run)
    set_state(run, State.STOPPING, Why.WITHDRAWN)
    before = fields_of(run)
    with pytest.raises(NotNow, match=r"^This session is being stopped\.$"):
        control.pause(run.pk, by=doctor)
    with pytest.raises(NotNow, match=r"^This session is not paused\.$"):
        control.resume(run.pk, by=doctor)
    assert not control.abort(run.pk, by=doctor, reason="doubt").changed
    assert fields_of(run) == before


def test_a_second_pause_changes_only_to_a_stronger_reason() -> None:
    run = make_run(1)
    technician, doctor, patient = technician_of(run), doctor_of(run), run.procedure.case.patient
    assert control.pause(run.pk, by=technician).changed
    since = Run.objects.get().held_at
    assert not control.pause(run.pk, by=doctor).changed
    for by, why in ((doctor, Why.ABORT), (patient, Why.PATIENT), (patient, Why.SAFE_WORD)):
        assert control.pause(run.pk, by=by, why=why).changed
        assert Run.objects.get().why == why
        for lower in (Why.STAFF, Why.PRESENCE, Why.ABORT, why):
            assert not control.pause(run.pk, by=technician, why=lower).changed
    row = Run.objects.get()
    assert (row.state, row.why, row.held_by, row.held_at) == (State.PAUSED, Why.SAFE_WORD, technician, since)
    assert event_kinds(run, "started") == ["paused"] * 4


def test_a_run_is_resumed_once_and_has_no_reason_of_a_pause_then() -> None:
    run, other = make_run(1), make_run(1)
    technician = technician_of(run)
    assert not control.resume(run.pk, by=technician).changed
    control.pause(run.pk, by=technician)
    control.pause(other.pk, by=technician_of(other))
    before = fields_of(other)
    assert control.resume(run.pk, by=technician).changed
    row = Run.objects.get(pk=run.pk)
    assert (row.state, row.why, row.held_by, row.held_at) == (State.RUNNING, "", None, None)
    assert row.paused_seconds > 0
    assert fields_of(other) == before


@pytest.mark.parametrize(("responsible", "in_charge", "may"), [(0, 0, 0), (1, 0, 1), (0, 1, 1)])
def test_a_run_without_a_responsible_person_stays_paused(responsible: int, in_charge: int, may: int) -> None:
    run = make_run(1)
    doctor = doctor_of(run)
    control.pause(run.pk, by=doctor)
    if in_charge:
        handover.take_over(run.pk, by=doctor)
    if not responsible:
        Run.objects.update(responsible=None)
    if may:
        assert control.resume(run.pk, by=doctor).changed
        return
    with pytest.raises(NotNow, match=r"^Nobody answers for this night\."):
        control.resume(run.pk, by=doctor)
    assert Run.objects.get().state == State.PAUSED


@pytest.mark.parametrize(("level", "state"), [(PASS_COUNT, Step.State.FADING), (3, Step.State.WAITING)])
def test_a_memory_can_be_protected_until_its_last_pass(level: int, state: str) -> None:
    run, other = make_run(1), make_run(1)
    doctor = doctor_of(run)
    step, other_step = run.steps.get(), other.steps.get()
    Step.objects.filter(pk=step.pk).update(level=level, state=state)
    if level == PASS_COUNT:
        with pytest.raises(NotNow, match=r"^It is too late for this one"):
            control.protect(run.pk, step.memory_id, by=doctor)
        assert Memory.objects.get(pk=step.memory_id).fate == Memory.Fate.TARGET
        assert Step.objects.get(pk=step.pk).state == state
        return
    assert control.protect(run.pk, step.memory_id, by=doctor).changed
    assert not control.protect(run.pk, step.memory_id, by=doctor).changed
    row = Step.objects.get(pk=step.pk)
    assert (row.state, row.spared_because, row.level) == (Step.State.SPARED, "protected", level)
    assert row.done_at is not None
    assert Memory.objects.get(pk=other_step.memory_id).fate == Memory.Fate.TARGET
    assert Step.objects.get(pk=other_step.pk).state == Step.State.WAITING
    assert len(actors_of(run, "memory.protected")) == 1


def test_a_memory_of_another_run_is_not_protected() -> None:
    run, other = make_run(1), make_run(1)
    with pytest.raises(Step.DoesNotExist):
        control.protect(run.pk, other.steps.get().memory_id, by=doctor_of(run))
    assert Memory.objects.filter(fate=Memory.Fate.PROTECTED).count() == 0


def test_an_abort_ends_the_lease_of_the_worker() -> None:
    run, other = make_run(1), make_run(1)
    before = fields_of(other)
    assert control.abort(run.pk, by=doctor_of(run), reason="doubt").changed
    row = Run.objects.get(pk=run.pk)
    assert (row.state, row.why, row.epoch) == (State.STOPPING, Why.ABORT, run.epoch + 1)
    assert (row.lease_until, row.lease_holder) == (None, "")
    assert fields_of(other) == before


@pytest.mark.parametrize("state", State)
def test_a_withdrawal_stops_only_running_and_paused_runs(state: str) -> None:
    run = make_run(1)
    set_state(run, state)
    before = fields_of(run)
    control.stop_unconsented(run.pk)
    if state in {State.RUNNING, State.PAUSED}:
        assert fields_of(run)[:2] == (State.STOPPING, Why.WITHDRAWN)
        assert event_kinds(run)[-1] == "withdrawn"
    else:
        assert fields_of(run) == before


def test_which_people_count_as_attending() -> None:
    run = make_run(1)
    doctor = doctor_of(run)
    assert counts_as_attending(run, technician_of(run))
    assert not counts_as_attending(run, doctor)
    assert not counts_as_attending(run, None)
    assert not counts_as_attending(run, run.procedure.case.patient)
    handover.take_over(run.pk, by=doctor)
    run = Run.objects.select_related("procedure__case").get()
    assert counts_as_attending(run, doctor)
    assert not counts_as_attending(run, make_doctor())
    patient = run.procedure.case.patient
    patient.grants.create(role="technician")
    assert not counts_as_attending(run, User.objects.get(pk=patient.pk)), "the patient does not count"


def test_an_offer_is_accepted_only_by_the_person_it_was_made_to() -> None:
    run, invited, colleague = make_run(1), make_technician(), make_technician()
    first = technician_of(run)
    with pytest.raises(NotNow, match=r"^This night is not offered to you any more\.$"):
        handover.accept(run.pk, by=invited)
    handover.offer(run.pk, invited.pk, by=first)
    with pytest.raises(NotNow, match=r"^This night is not offered to you any more\.$"):
        handover.accept(run.pk, by=colleague)
    assert not handover.accept(run.pk, by=first).changed
    assert Run.objects.get().responsible == first


def test_a_repeated_offer_is_one_offer() -> None:
    run, invited = make_run(1), make_technician()
    first, doctor = technician_of(run), doctor_of(run)
    assert handover.offer(run.pk, invited.pk, by=first).changed
    assert not handover.offer(run.pk, invited.pk, by=first).changed
    assert handover.offer(run.pk, invited.pk, by=doctor).changed
    assert list(run.handovers.order_by("offered_at").values_list("state", "offered_by")) == [
        ("withdrawn", first.pk),
        ("offered", doctor.pk),
    ]


def test_a_person_who_lost_the_role_cannot_accept_an_offer() -> None:
    run, invited = make_run(1), make_technician()
    handover.offer(run.pk, invited.pk, by=technician_of(run))
    invited.grants.all().delete()
    with pytest.raises(NotNow, match=r"^Only a technician of the house can take over\.$"):
        handover.accept(run.pk, by=reload_user(invited))
    assert Run.objects.get().responsible == technician_of(run)


def reload_user(user: User) -> User:
    """The same person as the next request loads them."""
    return User.objects.get(pk=user.pk)


def test_a_technician_removed_from_the_calendar_cannot_accept_an_offer() -> None:
    run, invited = make_run(1), make_technician()
    handover.offer(run.pk, invited.pk, by=technician_of(run))
    invited.resources.update(in_use=False)
    with pytest.raises(NotNow, match=r"^Only a technician of the house can take over\.$"):
        handover.accept(run.pk, by=invited)
    assert Run.objects.get().responsible == technician_of(run)


def test_an_offer_is_declined_only_by_the_people_concerned() -> None:
    run, invited = make_run(1), make_technician()
    handover.offer(run.pk, invited.pk, by=technician_of(run))
    with pytest.raises(NotNow, match=r"^This night is not offered to you any more\.$"):
        handover.decline(run.pk, by=make_user())
    assert handover.open_offer(run) is not None


def test_a_pause_event_says_how_far_the_current_memory_has_faded() -> None:
    run, other, idle = make_run(3), make_run(1), make_run(1)
    Step.objects.filter(run=other).update(state=Step.State.FADING, level=9)
    Step.objects.filter(run=run, position=0).update(state=Step.State.FADING, level=PASS_COUNT)
    Step.objects.filter(run=run, position=1).update(state=Step.State.FADING, level=4)
    Step.objects.filter(run=run, position=2).update(state=Step.State.HELD, level=2)
    control.pause(run.pk, by=None)
    data = {"why": "staff", "n": 2, "level": 4, "levels": PASS_COUNT}
    assert run.events.get(kind="paused").data == data
    Step.objects.filter(run=run, position=1).update(state=Step.State.SPARED)
    control.resume(run.pk, by=technician_of(run))
    control.pause(run.pk, by=None)
    control.pause(idle.pk, by=None)
    for one_run in (run, idle):
        assert one_run.events.filter(kind="paused").latest("seq").data == {"why": "staff"}


def test_the_first_person_who_pauses_is_recorded_after_a_pause_by_the_system() -> None:
    run = make_run(1)
    patient = run.procedure.case.patient
    control.pause(run.pk, by=None, why=Why.PRESENCE)
    assert Run.objects.get().held_by is None
    control.safe_word(run.pk, by=patient)
    assert Run.objects.get().held_by == patient


def test_the_system_may_act_while_a_doctor_has_taken_over() -> None:
    run = make_run(1)
    handover.take_over(run.pk, by=doctor_of(run))
    assert control.abort(run.pk, by=None, reason="doubt").changed


def test_actions_of_the_team_count_as_attending_in_this_run_only() -> None:
    run, other = make_run(1), make_run(1)
    for one_run in (run, other):
        leave_unattended(one_run)
    before = dict(Run.objects.values_list("pk", "attended_at"))
    control.call_doctor(run.pk, by=run.procedure.case.patient)
    assert dict(Run.objects.values_list("pk", "attended_at")) == before
    control.pause(run.pk, by=technician_of(run))
    now = dict(Run.objects.values_list("pk", "attended_at"))
    assert (now[run.pk] > before[run.pk], now[other.pk]) == (True, before[other.pk])
    due = Run.objects.get(pk=other.pk).next_due_at
    control.resume(run.pk, by=technician_of(run))
    row = Run.objects.get(pk=other.pk)
    assert (row.attended_at, row.next_due_at) == (before[other.pk], due)
