"""Presence checks are opened by a timer and for strong memories. A missed one pauses and calls the doctor."""

import pytest

from clinic.accounts.models import Role
from clinic.people.changes import set_active
from erasure.jobs.worker import next_step
from erasure.procedures.models import Procedure
from erasure.runs import control, handover, presence
from erasure.runs.lease import claim
from erasure.runs.models import DoctorCall, PresenceCheck, Run
from erasure.runs.passes import make_pass
from erasure.runs.planning import start_run
from patients.memories.models import Memory, MemoryLink
from tests.configuration import configure
from tests.erasure.runs.nights import (
    actors_of,
    doctor_of,
    event_kinds,
    leave_unattended,
    make_check_overdue,
    technician_of,
)
from tests.factories import (
    make_case,
    make_keepsake,
    make_memory,
    make_procedure,
    make_run,
    make_technician,
    make_user,
)

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def presence_policy() -> None:
    configure(presence_minutes=20)
    configure(presence_strength=30)


def make_check(run: Run) -> PresenceCheck:
    leave_unattended(run)
    assert presence.ask_due() == 1
    return PresenceCheck.objects.get()


def test_the_timer_opens_one_check() -> None:
    run = make_run(1)
    assert presence.ask_due() == 0
    leave_unattended(run, minutes=19)
    assert presence.ask_due() == 0
    make_check(run)
    assert presence.ask_due() == 0
    assert event_kinds(run)[-1] == "presence-asked"


@pytest.mark.parametrize(
    ("procedure_minutes", "clinic_minutes", "expected"), [(None, 0, 0), (0, 20, 0), (5, 0, 1), (90, 20, 0)]
)
def test_the_procedures_setting_overrides_the_clinics(
    procedure_minutes: float | None, clinic_minutes: float, expected: int
) -> None:
    configure(presence_minutes=clinic_minutes)
    case = make_case()
    make_keepsake(make_memory(case))
    procedure = make_procedure(case)
    Procedure.objects.filter(pk=procedure.pk).update(presence_minutes=procedure_minutes)
    run = start_run(procedure.pk, by=None)
    leave_unattended(run)
    assert presence.ask_due() == expected


def test_a_strong_memory_opens_one_check_when_it_begins_to_fade() -> None:
    run = make_run(5)
    memories = [step.memory for step in run.steps.all()]
    strong = memories[0]
    Memory.objects.filter(pk=strong.pk).update(intensity=10)
    for other in memories[1:4]:
        a, b = sorted((strong, other), key=lambda memory: memory.pk)
        MemoryLink.objects.create(a=a, b=b)
    assert presence.ask_due() == 0, "its fade has not begun"
    fence, step = claim(run.pk), next_step(run.pk)
    assert fence
    assert step
    assert step.memory_id == strong.pk
    make_pass(fence, step, due=run.next_due_at)
    assert presence.ask_due() == 1
    assert PresenceCheck.objects.get().step == step
    presence.answer(run.pk, by=technician_of(run))
    assert presence.ask_due() == 0, "each memory has one check"


def test_a_weak_memory_opens_no_check() -> None:
    run = make_run(2)
    fence, step = claim(run.pk), next_step(run.pk)
    assert fence
    assert step
    make_pass(fence, step, due=run.next_due_at)
    assert presence.ask_due() == 0


def test_an_answer_in_time_is_recorded_and_restarts_the_timer() -> None:
    run = make_run(1)
    make_check(run)
    assert presence.answer(run.pk, by=technician_of(run)).changed
    assert not presence.answer(run.pk, by=technician_of(run)).changed
    assert actors_of(run, "run.presence-answered") == [f"user:{technician_of(run).pk}"]
    assert presence.miss_due() == presence.ask_due() == 0
    assert Run.objects.get().state == Run.State.RUNNING


def test_a_missed_check_pauses_and_calls_the_doctor() -> None:
    run = make_run(1)
    make_check(run)
    assert presence.miss_due() == 0, "the grace has not passed"
    make_check_overdue(run)
    assert presence.miss_due() == 1
    assert presence.miss_due() == 0
    run.refresh_from_db()
    assert (run.state, run.why) == (Run.State.PAUSED, Run.Why.PRESENCE)
    assert DoctorCall.objects.get().why == "presence"
    assert event_kinds(run)[-3:] == ["presence-missed", "paused", "doctor-called"]
    with pytest.raises(control.NotNow, match="too late"):
        presence.answer(run.pk, by=technician_of(run))


def test_each_run_has_its_own_missed_check() -> None:
    runs = [make_run(1), make_run(1)]
    for run in runs:
        leave_unattended(run)
    assert presence.ask_due() == 2
    for run in runs:
        make_check_overdue(run)
    assert presence.miss_due() == 2
    assert list(Run.objects.values_list("state", "why")) == [(Run.State.PAUSED, Run.Why.PRESENCE)] * 2
    assert DoctorCall.objects.count() == 2


def test_an_answer_that_is_late_but_not_missed_yet_counts() -> None:
    run = make_run(1)
    make_check(run)
    make_check_overdue(run)
    presence.answer(run.pk, by=technician_of(run))
    assert presence.miss_due() == 0


def test_a_missed_check_does_not_replace_a_safe_word() -> None:
    run = make_run(1)
    make_check(run)
    control.safe_word(run.pk, by=run.procedure.case.patient)
    make_check_overdue(run)
    presence.miss_due()
    assert Run.objects.get().why == Run.Why.SAFE_WORD


def test_only_people_who_count_as_attending_can_answer() -> None:
    run = make_run(1)
    make_check(run)
    doctor = doctor_of(run)
    with pytest.raises(control.NotNow):
        presence.answer(run.pk, by=doctor)
    handover.take_over(run.pk, by=doctor)
    assert presence.answer(run.pk, by=doctor).changed


def test_actions_of_the_technician_count_as_attending() -> None:
    run = make_run(1)
    leave_unattended(run)
    control.call_doctor(run.pk, by=technician_of(run))
    assert presence.ask_due() == 0
    leave_unattended(run)
    control.protect(run.pk, run.steps.get().memory_id, by=run.procedure.case.patient)
    assert presence.ask_due() == 1, "actions of the patient do not count"


def test_a_run_is_paused_when_the_responsible_account_is_closed() -> None:
    run = make_run(1)
    boss = make_user(Role.ADMINISTRATOR)
    assert run.responsible == technician_of(run)
    assert presence.release_absent() == 0
    set_active(technician_of(run), False, by=boss)
    assert presence.release_absent() == 1
    assert presence.release_absent() == 0
    run.refresh_from_db()
    assert (run.responsible, run.state, run.why) == (None, Run.State.PAUSED, Run.Why.PRESENCE)
    with pytest.raises(control.NotNow, match="Nobody answers"):
        control.resume(run.pk, by=doctor_of(run))
    other = make_technician()
    handover.offer(run.pk, other.pk, by=doctor_of(run))
    handover.accept(run.pk, by=other)
    control.resume(run.pk, by=other)


@pytest.mark.parametrize("state", [Run.State.STOPPING, Run.State.FINISHED])
def test_a_run_that_ended_meanwhile_keeps_its_responsible_person(state: str) -> None:
    """The state is read again under the run's lock, because the supervisor listed the runs before."""
    run = make_run(1)
    technician = technician_of(run)
    set_active(technician, False, by=make_user(Role.ADMINISTRATOR))
    Run.objects.update(state=state, outcome="stopped", finished_at=run.started_at)
    assert not presence._release(run.pk)
    row = Run.objects.get()
    assert (row.state, row.responsible) == (state, technician)


def test_the_controls_return_to_the_team_when_the_doctor_in_charge_loses_the_role() -> None:
    run = make_run(1)
    doctor = doctor_of(run)
    handover.take_over(run.pk, by=doctor)
    doctor.set_roles(set(), by=None)
    assert presence.release_absent() == 1
    run.refresh_from_db()
    assert (run.taken_over_by, run.state) == (None, Run.State.PAUSED)
    control.resume(run.pk, by=technician_of(run))
