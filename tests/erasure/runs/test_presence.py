"""Is somebody there? Asked by the timer and for strong memories; a miss pauses and calls the doctor."""

import pytest
from django.conf import settings

from clinic.accounts.models import Role
from clinic.people.changes import set_active
from erasure.jobs.worker import next_step
from erasure.runs import control, handover, presence
from erasure.runs.lease import claim
from erasure.runs.models import DoctorCall, PresenceCheck, Run
from erasure.runs.passes import make_pass
from patients.memories.models import MemoryLink
from tests.erasure.runs.nights import acts, doctor_of, kinds, overdue, technician_of, unattended
from tests.factories import make_run, make_technician, make_user

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def policy(settings: settings) -> None:
    settings.LACUNA_PRESENCE_CHECK_MINUTES = 20
    settings.LACUNA_PRESENCE_STRENGTH = 30


def asked(run: Run) -> PresenceCheck:
    unattended(run)
    assert presence.ask_due() == 1
    return PresenceCheck.objects.get()


def test_the_timer_asks_once() -> None:
    run = make_run(1)
    assert presence.ask_due() == 0
    unattended(run, minutes=19)
    assert presence.ask_due() == 0
    asked(run)
    assert presence.ask_due() == 0
    assert kinds(run)[-1] == "presence-asked"


@pytest.mark.parametrize(("own", "house", "asks"), [(None, 0, 0), (0, 20, 0), (5, 0, 1), (90, 20, 0)])
def test_the_procedures_own_policy_goes_before_the_houses(
    own: float | None, house: float, asks: int, settings: settings
) -> None:
    settings.LACUNA_PRESENCE_CHECK_MINUTES = house
    run = make_run(1)
    run.procedure.presence_minutes = own
    run.procedure.save()
    unattended(run)
    assert presence.ask_due() == asks


def test_a_strong_memory_asks_once_when_it_begins_to_fade() -> None:
    run = make_run(5)
    memories = [step.memory for step in run.steps.all()]
    strong = memories[0]
    type(strong).objects.filter(pk=strong.pk).update(intensity=10)
    for other in memories[1:4]:
        a, b = sorted((strong, other), key=lambda memory: memory.pk)
        MemoryLink.objects.create(a=a, b=b)
    assert presence.ask_due() == 0, "it waits still"
    fence, step = claim(run.pk), next_step(run.pk)
    assert fence
    assert step
    assert step.memory_id == strong.pk
    make_pass(fence, step, due=run.next_due_at)
    assert presence.ask_due() == 1
    assert PresenceCheck.objects.get().step == step
    presence.answer(run.pk, by=technician_of(run))
    assert presence.ask_due() == 0, "asked once for each"


def test_a_weak_memory_asks_nobody(settings: settings) -> None:
    run = make_run(2)
    fence, step = claim(run.pk), next_step(run.pk)
    assert fence
    assert step
    make_pass(fence, step, due=run.next_due_at)
    assert presence.ask_due() == 0


def test_who_answers_in_time_is_on_the_record_and_the_timer_begins_anew() -> None:
    run = make_run(1)
    asked(run)
    assert presence.answer(run.pk, by=technician_of(run)).changed
    assert not presence.answer(run.pk, by=technician_of(run)).changed
    assert acts(run, "run.presence-answered") == [f"user:{technician_of(run).pk}"]
    assert presence.miss_due() == presence.ask_due() == 0
    assert Run.objects.get().state == Run.State.RUNNING


def test_a_miss_pauses_and_calls_the_doctor() -> None:
    run = make_run(1)
    asked(run)
    assert presence.miss_due() == 0, "the grace has not passed"
    overdue(run)
    assert presence.miss_due() == 1
    assert presence.miss_due() == 0
    run.refresh_from_db()
    assert (run.state, run.why) == (Run.State.PAUSED, Run.Why.PRESENCE)
    assert DoctorCall.objects.get().why == "presence"
    assert kinds(run)[-3:] == ["presence-missed", "paused", "doctor-called"]
    with pytest.raises(control.NotNow, match="too late"):
        presence.answer(run.pk, by=technician_of(run))


def test_each_night_has_a_miss_of_its_own() -> None:
    runs = [make_run(1), make_run(1)]
    for run in runs:
        unattended(run)
    assert presence.ask_due() == 2
    for run in runs:
        overdue(run)
    assert presence.miss_due() == 2
    assert list(Run.objects.values_list("state", "why")) == [(Run.State.PAUSED, Run.Why.PRESENCE)] * 2
    assert DoctorCall.objects.count() == 2


def test_an_answer_that_is_late_but_not_missed_yet_counts() -> None:
    run = make_run(1)
    asked(run)
    overdue(run)
    presence.answer(run.pk, by=technician_of(run))
    assert presence.miss_due() == 0


def test_a_miss_leaves_a_safe_word_what_it_is() -> None:
    run = make_run(1)
    asked(run)
    control.safe_word(run.pk, by=run.procedure.case.patient)
    overdue(run)
    presence.miss_due()
    assert Run.objects.get().why == Run.Why.SAFE_WORD


def test_only_who_sits_with_the_patient_answers() -> None:
    run = make_run(1)
    asked(run)
    doctor = doctor_of(run)
    with pytest.raises(control.NotNow):
        presence.answer(run.pk, by=doctor)
    handover.take_over(run.pk, by=doctor)
    assert presence.answer(run.pk, by=doctor).changed


def test_what_the_technician_does_shows_that_they_are_there() -> None:
    run = make_run(1)
    unattended(run)
    control.call_doctor(run.pk, by=technician_of(run))
    assert presence.ask_due() == 0
    unattended(run)
    control.protect(run.pk, run.steps.get().memory_id, by=run.procedure.case.patient)
    assert presence.ask_due() == 1, "what the patient does says nothing about the team"


def test_a_night_stands_still_when_the_responsible_account_is_closed() -> None:
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
def test_a_night_that_ended_meanwhile_keeps_who_was_responsible(state: str) -> None:
    """Asked again under the lock: the round began from an older look."""
    run = make_run(1)
    technician = technician_of(run)
    set_active(technician, False, by=make_user(Role.ADMINISTRATOR))
    Run.objects.update(state=state, outcome="stopped", finished_at=run.started_at)
    assert not presence._release(run.pk)
    row = Run.objects.get()
    assert (row.state, row.responsible) == (state, technician)


def test_controls_return_to_the_team_when_the_doctor_in_charge_is_no_doctor_any_more() -> None:
    run = make_run(1)
    doctor = doctor_of(run)
    handover.take_over(run.pk, by=doctor)
    doctor.set_roles(set(), by=None)
    assert presence.release_absent() == 1
    run.refresh_from_db()
    assert (run.taken_over_by, run.state) == (None, Run.State.PAUSED)
    control.resume(run.pk, by=technician_of(run))
