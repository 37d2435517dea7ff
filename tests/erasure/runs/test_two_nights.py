"""Two runs at once: calls, answers and messages of one do not change the other."""

from datetime import timedelta

import pytest
from django.db import transaction

from clinic.audit.models import Entry
from erasure.jobs import certifying
from erasure.jobs.certifying import certify
from erasure.runs import calls, control, presence
from erasure.runs.finishing import finish
from erasure.runs.models import CallNotice, DoctorCall, PresenceCheck, Run, Step
from erasure.runs.run_actions import NotNow, after
from erasure.verification.process import NotVerified
from tests.configuration import configure
from tests.erasure.runs.nights import doctor_of, leave_unattended, make_call_due, technician_of
from tests.factories import make_run

pytestmark = pytest.mark.django_db(transaction=True)

Why = DoctorCall.Why


def make_run_with_call(why: str = Why.ASKED) -> Run:
    run = make_run(1)
    control.call_doctor(run.pk, by=technician_of(run))
    DoctorCall.objects.filter(run=run).update(why=why)
    return run


def test_a_doctor_answers_the_call_of_one_run_only() -> None:
    run, other = make_run_with_call(), make_run_with_call()
    assert calls.acknowledge(run.pk, by=doctor_of(run)).changed
    assert DoctorCall.objects.get(run=run).acknowledged_by == doctor_of(run)
    assert DoctorCall.objects.get(run=other).acknowledged_at is None
    assert not calls.acknowledge(run.pk, by=doctor_of(other)).changed
    assert DoctorCall.objects.get(run=run).acknowledged_by == doctor_of(run)
    with pytest.raises(NotNow, match=r"^Nobody is calling at the moment\.$"):
        calls.acknowledge(make_run(1).pk, by=doctor_of(run))


def test_a_decision_answers_only_the_call_about_a_copy_of_this_run() -> None:
    run, other, with_safe_word = (
        make_run_with_call(Why.HOLD),
        make_run_with_call(Why.HOLD),
        make_run_with_call(Why.SAFE_WORD),
    )
    answered = make_run_with_call(Why.HOLD)
    calls.acknowledge(answered.pk, by=doctor_of(answered))
    for one_run in (run, with_safe_word, answered):
        with transaction.atomic():
            calls.acknowledge_calls(one_run, by=doctor_of(run), why=[DoctorCall.Why.HOLD])
    acknowledged = dict(DoctorCall.objects.values_list("run", "acknowledged_by"))
    assert acknowledged == {
        run.pk: doctor_of(run).pk,
        other.pk: None,
        with_safe_word.pk: None,
        answered.pk: doctor_of(answered).pk,
    }


def test_a_reminder_is_made_only_for_the_call_that_is_due() -> None:
    run, other = make_run_with_call(), make_run_with_call()
    make_call_due(run, remind=True)
    assert calls.remind_due() == 1
    assert set(CallNotice.objects.filter(kind="again").values_list("call__run", flat=True)) == {run.pk}
    assert DoctorCall.objects.filter(run=other, remind_at__gt=after(1)).exists()


@pytest.mark.parametrize(("state", "reminded"), [(Run.State.RUNNING, 1), (Run.State.FINISHED, 0)])
def test_a_call_about_a_copy_is_repeated_until_the_end_of_the_run(state: str, reminded: int) -> None:
    run = make_run_with_call(Why.HOLD)
    ended = {"outcome": "stopped", "finished_at": run.started_at} if state == Run.State.FINISHED else {}
    Run.objects.filter(pk=run.pk).update(state=state, **ended)
    make_call_due(run, remind=True)
    assert calls.remind_due() == reminded


def test_a_presence_check_is_answered_for_one_run_only() -> None:
    configure(presence_minutes=20)
    run, other = make_run(1), make_run(1)
    with pytest.raises(NotNow, match=r"^Nobody asked\.$"):
        presence.answer(run.pk, by=technician_of(run))
    for one_run in (run, other):
        leave_unattended(one_run)
    assert presence.ask_due() == 2
    assert presence.answer(run.pk, by=technician_of(run)).changed
    assert PresenceCheck.objects.get(run=run).answered_by == technician_of(run)
    assert PresenceCheck.objects.get(run=other).answered_at is None
    PresenceCheck.objects.filter(run=other).update(due_at=after(-1))
    assert presence.miss_due() == 1
    assert Run.objects.get(pk=run.pk).state == Run.State.RUNNING
    with pytest.raises(NotNow, match=r"^It was too late"):
        presence.answer(other.pk, by=technician_of(other))


def test_a_check_is_opened_or_missed_only_if_it_is_still_needed() -> None:
    """The state is read again under the run's lock, because the supervisor listed the runs before."""
    configure(presence_minutes=20)
    run = make_run(1)
    assert not presence._ask(run.pk), "somebody attended meanwhile"
    leave_unattended(run)
    control.pause(run.pk, by=None)
    assert not presence._ask(run.pk), "it was paused meanwhile"
    control.resume(run.pk, by=technician_of(run))
    leave_unattended(run)
    assert presence._ask(run.pk)
    assert not presence._ask(run.pk), "another supervisor was faster"
    check = PresenceCheck.objects.get()
    assert not presence._miss(check.pk, run.pk), "it is not due yet"
    PresenceCheck.objects.update(due_at=after(-1))
    Run.objects.update(state=Run.State.STOPPING)
    assert not presence._miss(check.pk, run.pk)
    assert PresenceCheck.objects.get().missed_at is None


def test_without_a_verification_there_is_no_certificate(monkeypatch: pytest.MonkeyPatch) -> None:
    run = make_run(1)
    Step.objects.update(state=Step.State.SPARED, spared_because="protected", done_at=run.started_at)
    assert finish(run.pk)

    def fail_to_verify(run_id: object) -> None:
        raise NotVerified("took-too-long")

    with monkeypatch.context() as patched:
        patched.setattr(certifying, "verify_in_subprocess", fail_to_verify)
        assert not certify(run.pk)
    assert not Entry.objects.filter(run=run.pk, action__in=["run.verified", "certificate.issued"]).exists()
    monkeypatch.setattr(certifying, "FIRST_WAIT", timedelta(hours=1))
    assert not certify(run.pk), "the next verifier is not due"
    monkeypatch.setattr(certifying, "FIRST_WAIT", timedelta(0))
    assert certify(run.pk)
