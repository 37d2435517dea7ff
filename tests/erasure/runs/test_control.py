"""What people may do to a night in each of its states, and what it changes."""

from collections.abc import Callable

import pytest

from clinic.accounts.models import User
from erasure.runs import control, handover
from erasure.runs.models import DoctorCall, Run, Step
from erasure.runs.passes import PASS_COUNT
from erasure.runs.run_actions import NotNow, counts_as_attending
from patients.memories.models import Memory
from tests.erasure.runs.nights import acts, doctor_of, kinds, technician_of, unattended
from tests.factories import make_doctor, make_run, make_technician, make_user

pytestmark = pytest.mark.django_db(transaction=True)

State, Why = Run.State, Run.Why
Act = Callable[[Run, User], object]

ACTS: dict[str, Act] = {
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


def as_is(run: Run) -> tuple[object, ...]:
    row = Run.objects.get(pk=run.pk)
    return row.state, row.why, row.held_by_id, row.epoch, row.last_seq


@pytest.mark.parametrize("act", ACTS)
def test_nothing_is_done_to_a_night_that_is_over(act: str) -> None:
    run = make_run(1)
    set_state(run, State.FINISHED)
    before = as_is(run)
    with pytest.raises(NotNow, match=r"^This session is over\.$"):
        ACTS[act](run, doctor_of(run))
    assert as_is(run) == before
    assert not DoctorCall.objects.exists()


def test_a_night_that_is_being_stopped_is_not_paused_resumed_or_stopped_again() -> None:
    run = make_run(1)
    doctor = doctor_of(run)
    set_state(run, State.STOPPING, Why.WITHDRAWN)
    before = as_is(run)
    with pytest.raises(NotNow, match=r"^This session is being stopped\.$"):
        control.pause(run.pk, by=doctor)
    with pytest.raises(NotNow, match=r"^This session is not paused\.$"):
        control.resume(run.pk, by=doctor)
    assert not control.abort(run.pk, by=doctor, reason="doubt").changed
    assert as_is(run) == before


def test_pausing_again_changes_nothing_unless_it_says_more() -> None:
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
    assert kinds(run, "started") == ["paused"] * 4


def test_a_night_goes_on_once_and_nobody_holds_it_then() -> None:
    run, other = make_run(1), make_run(1)
    technician = technician_of(run)
    assert not control.resume(run.pk, by=technician).changed
    control.pause(run.pk, by=technician)
    control.pause(other.pk, by=technician_of(other))
    before = as_is(other)
    assert control.resume(run.pk, by=technician).changed
    row = Run.objects.get(pk=run.pk)
    assert (row.state, row.why, row.held_by, row.held_at) == (State.RUNNING, "", None, None)
    assert row.paused_seconds > 0
    assert as_is(other) == before


@pytest.mark.parametrize(("responsible", "in_charge", "may"), [(0, 0, 0), (1, 0, 1), (0, 1, 1)])
def test_a_night_nobody_answers_for_stays_paused(responsible: int, in_charge: int, may: int) -> None:
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
def test_a_memory_is_protected_until_nothing_is_left_of_it(level: int, state: str) -> None:
    run, other = make_run(1), make_run(1)
    doctor = doctor_of(run)
    step, its_step = run.steps.get(), other.steps.get()
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
    assert Memory.objects.get(pk=its_step.memory_id).fate == Memory.Fate.TARGET
    assert Step.objects.get(pk=its_step.pk).state == Step.State.WAITING
    assert len(acts(run, "memory.protected")) == 1


def test_a_memory_of_another_night_is_not_protected() -> None:
    run, other = make_run(1), make_run(1)
    with pytest.raises(Step.DoesNotExist):
        control.protect(run.pk, other.steps.get().memory_id, by=doctor_of(run))
    assert Memory.objects.filter(fate=Memory.Fate.PROTECTED).count() == 0


def test_an_abort_takes_the_night_from_its_worker() -> None:
    run, other = make_run(1), make_run(1)
    before = as_is(other)
    assert control.abort(run.pk, by=doctor_of(run), reason="doubt").changed
    row = Run.objects.get(pk=run.pk)
    assert (row.state, row.why, row.epoch) == (State.STOPPING, Why.ABORT, run.epoch + 1)
    assert (row.lease_until, row.lease_holder) == (None, "")
    assert as_is(other) == before


@pytest.mark.parametrize("state", State)
def test_a_withdrawal_stops_what_goes_on_and_nothing_else(state: str) -> None:
    run = make_run(1)
    set_state(run, state)
    before = as_is(run)
    control.stop_unconsented(run.pk)
    if state in {State.RUNNING, State.PAUSED}:
        assert as_is(run)[:2] == (State.STOPPING, Why.WITHDRAWN)
        assert kinds(run)[-1] == "withdrawn"
    else:
        assert as_is(run) == before


def test_who_of_the_team_is_with_the_patient() -> None:
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
    assert not counts_as_attending(run, User.objects.get(pk=patient.pk)), "nobody watches over themselves"


def test_an_offer_is_accepted_by_whom_it_was_made_to() -> None:
    run, asked, colleague = make_run(1), make_technician(), make_technician()
    first = technician_of(run)
    with pytest.raises(NotNow, match=r"^This night is not offered to you any more\.$"):
        handover.accept(run.pk, by=asked)
    handover.offer(run.pk, asked.pk, by=first)
    with pytest.raises(NotNow, match=r"^This night is not offered to you any more\.$"):
        handover.accept(run.pk, by=colleague)
    assert not handover.accept(run.pk, by=first).changed
    assert Run.objects.get().responsible == first


def test_an_offer_made_again_is_one_offer() -> None:
    run, asked = make_run(1), make_technician()
    first, doctor = technician_of(run), doctor_of(run)
    assert handover.offer(run.pk, asked.pk, by=first).changed
    assert not handover.offer(run.pk, asked.pk, by=first).changed
    assert handover.offer(run.pk, asked.pk, by=doctor).changed
    assert list(run.handovers.order_by("offered_at").values_list("state", "offered_by")) == [
        ("withdrawn", first.pk),
        ("offered", doctor.pk),
    ]


def test_who_is_no_technician_any_more_takes_nothing_over() -> None:
    run, asked = make_run(1), make_technician()
    handover.offer(run.pk, asked.pk, by=technician_of(run))
    asked.grants.all().delete()
    with pytest.raises(NotNow, match=r"^Only a technician of the house can take over\.$"):
        handover.accept(run.pk, by=make_user_again(asked))
    assert Run.objects.get().responsible == technician_of(run)


def make_user_again(user: User) -> User:
    """The same person as the next request loads them."""
    return User.objects.get(pk=user.pk)


def test_a_technician_taken_off_the_calendar_takes_nothing_over() -> None:
    run, asked = make_run(1), make_technician()
    handover.offer(run.pk, asked.pk, by=technician_of(run))
    asked.resources.update(in_use=False)
    with pytest.raises(NotNow, match=r"^Only a technician of the house can take over\.$"):
        handover.accept(run.pk, by=asked)
    assert Run.objects.get().responsible == technician_of(run)


def test_a_stranger_declines_no_offer() -> None:
    run, asked = make_run(1), make_technician()
    handover.offer(run.pk, asked.pk, by=technician_of(run))
    with pytest.raises(NotNow, match=r"^This night is not offered to you any more\.$"):
        handover.decline(run.pk, by=make_user())
    assert handover.open_offer(run) is not None


def test_a_pause_says_where_the_fade_of_this_night_stands() -> None:
    run, other, idle = make_run(3), make_run(1), make_run(1)
    Step.objects.filter(run=other).update(state=Step.State.FADING, level=9)
    Step.objects.filter(run=run, position=0).update(state=Step.State.FADING, level=PASS_COUNT)
    Step.objects.filter(run=run, position=1).update(state=Step.State.FADING, level=4)
    Step.objects.filter(run=run, position=2).update(state=Step.State.HELD, level=2)
    control.pause(run.pk, by=None)
    said = {"why": "staff", "n": 2, "level": 4, "levels": PASS_COUNT}
    assert run.events.get(kind="paused").data == said
    Step.objects.filter(run=run, position=1).update(state=Step.State.SPARED)
    control.resume(run.pk, by=technician_of(run))
    control.pause(run.pk, by=None)
    control.pause(idle.pk, by=None)
    for night in (run, idle):
        assert night.events.filter(kind="paused").latest("seq").data == {"why": "staff"}


def test_who_first_said_stop_holds_the_night_also_after_the_system_paused_it() -> None:
    run = make_run(1)
    patient = run.procedure.case.patient
    control.pause(run.pk, by=None, why=Why.PRESENCE)
    assert Run.objects.get().held_by is None
    control.safe_word(run.pk, by=patient)
    assert Run.objects.get().held_by == patient


def test_the_system_acts_also_while_a_doctor_has_taken_over() -> None:
    run = make_run(1)
    handover.take_over(run.pk, by=doctor_of(run))
    assert control.abort(run.pk, by=None, reason="doubt").changed


def test_what_the_team_does_shows_that_they_are_there_in_this_night_alone() -> None:
    run, other = make_run(1), make_run(1)
    for night in (run, other):
        unattended(night)
    was = dict(Run.objects.values_list("pk", "attended_at"))
    control.call_doctor(run.pk, by=run.procedure.case.patient)
    assert dict(Run.objects.values_list("pk", "attended_at")) == was
    control.pause(run.pk, by=technician_of(run))
    now = dict(Run.objects.values_list("pk", "attended_at"))
    assert (now[run.pk] > was[run.pk], now[other.pk]) == (True, was[other.pk])
    due = Run.objects.get(pk=other.pk).next_due_at
    control.resume(run.pk, by=technician_of(run))
    row = Run.objects.get(pk=other.pk)
    assert (row.attended_at, row.next_due_at) == (was[other.pk], due)
