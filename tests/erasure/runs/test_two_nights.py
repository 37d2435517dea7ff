"""Two nights at once: what is asked, answered and sent for one leaves the other as it is."""

from datetime import timedelta

import pytest
from django.conf import LazySettings
from django.core import mail
from django.db import transaction

from clinic.audit.models import Entry
from erasure.jobs import certifying
from erasure.jobs.certifying import certify
from erasure.runs import calls, control, presence
from erasure.runs.finishing import finish
from erasure.runs.models import CallNotice, DoctorCall, PresenceCheck, Run, Step
from erasure.runs.run_actions import NotNow, after
from erasure.verification.process import NotVerified
from tests.erasure.runs.nights import doctor_of, due_now, technician_of, unattended
from tests.factories import make_run

pytestmark = pytest.mark.django_db(transaction=True)

Why = DoctorCall.Why


def make_called(why: str = Why.ASKED) -> Run:
    run = make_run(1)
    control.call_doctor(run.pk, by=technician_of(run))
    DoctorCall.objects.filter(run=run).update(why=why)
    return run


def test_a_doctor_answers_the_call_of_their_own_night() -> None:
    run, other = make_called(), make_called()
    assert calls.acknowledge(run.pk, by=doctor_of(run)).changed
    assert DoctorCall.objects.get(run=run).acknowledged_by == doctor_of(run)
    assert DoctorCall.objects.get(run=other).acknowledged_at is None
    assert not calls.acknowledge(run.pk, by=doctor_of(other)).changed
    assert DoctorCall.objects.get(run=run).acknowledged_by == doctor_of(run)
    with pytest.raises(NotNow, match=r"^Nobody is calling at the moment\.$"):
        calls.acknowledge(make_run(1).pk, by=doctor_of(run))


def test_deciding_answers_the_call_about_a_copy_of_this_night_alone() -> None:
    run, other, pressing = make_called(Why.HOLD), make_called(Why.HOLD), make_called(Why.SAFE_WORD)
    answered = make_called(Why.HOLD)
    calls.acknowledge(answered.pk, by=doctor_of(answered))
    for night in (run, pressing, answered):
        with transaction.atomic():
            calls.acknowledge_calls(night, by=doctor_of(run), why=[DoctorCall.Why.HOLD])
    said = dict(DoctorCall.objects.values_list("run", "acknowledged_by"))
    assert said == {
        run.pk: doctor_of(run).pk,
        other.pk: None,
        pressing.pk: None,
        answered.pk: doctor_of(answered).pk,
    }


def test_a_round_is_that_of_one_call() -> None:
    run, other = make_called(), make_called()
    due_now(run, remind=True)
    assert calls.remind_due() == 1
    assert set(CallNotice.objects.filter(kind="again").values_list("call__run", flat=True)) == {run.pk}
    assert DoctorCall.objects.filter(run=other, remind_at__gt=after(1)).exists()


@pytest.mark.parametrize(("state", "reminded"), [(Run.State.RUNNING, 1), (Run.State.FINISHED, 0)])
def test_a_copy_is_asked_about_until_the_night_is_over(state: str, reminded: int) -> None:
    run = make_called(Why.HOLD)
    ended = {"outcome": "stopped", "finished_at": run.started_at} if state == Run.State.FINISHED else {}
    Run.objects.filter(pk=run.pk).update(state=state, **ended)
    due_now(run, remind=True)
    assert calls.remind_due() == reminded


def test_a_message_is_sent_by_one_sender_once(monkeypatch: pytest.MonkeyPatch) -> None:
    make_called(), make_called(), make_called()
    first, second, third = CallNotice.objects.order_by("at", "pk")
    real = calls._send

    def send(notice: CallNotice) -> None:
        real(notice)
        CallNotice.objects.filter(pk=second.pk).update(taken_until=after(30))  # by another sender
        CallNotice.objects.filter(pk=third.pk).update(sent_at=notice.at)

    monkeypatch.setattr(calls, "_send", send)
    assert calls.send_due() == 1
    assert len(mail.outbox) == 1
    rows = dict(CallNotice.objects.values_list("pk", "sent_at"))
    assert (rows[first.pk] is None, rows[second.pk]) == (False, None)


def test_presence_is_answered_for_ones_own_night(settings: LazySettings) -> None:
    settings.LACUNA_PRESENCE_CHECK_MINUTES = 20
    run, other = make_run(1), make_run(1)
    with pytest.raises(NotNow, match=r"^Nobody asked\.$"):
        presence.answer(run.pk, by=technician_of(run))
    for night in (run, other):
        unattended(night)
    assert presence.ask_due() == 2
    assert presence.answer(run.pk, by=technician_of(run)).changed
    assert PresenceCheck.objects.get(run=run).answered_by == technician_of(run)
    assert PresenceCheck.objects.get(run=other).answered_at is None
    PresenceCheck.objects.filter(run=other).update(due_at=after(-1))
    assert presence.miss_due() == 1
    assert Run.objects.get(pk=run.pk).state == Run.State.RUNNING
    with pytest.raises(NotNow, match=r"^It was too late"):
        presence.answer(other.pk, by=technician_of(other))


def test_a_night_is_asked_only_while_it_needs_it(settings: LazySettings) -> None:
    """Asked again under the lock: the round began from an older look."""
    settings.LACUNA_PRESENCE_CHECK_MINUTES = 20
    run = make_run(1)
    assert not presence._ask(run.pk), "somebody showed themselves meanwhile"
    unattended(run)
    control.pause(run.pk, by=None)
    assert not presence._ask(run.pk), "it was paused meanwhile"
    control.resume(run.pk, by=technician_of(run))
    unattended(run)
    assert presence._ask(run.pk)
    assert not presence._ask(run.pk), "another supervisor was faster"
    check = PresenceCheck.objects.get()
    assert not presence._miss(check.pk, run.pk), "it is not due yet"
    PresenceCheck.objects.update(due_at=after(-1))
    Run.objects.update(state=Run.State.STOPPING)
    assert not presence._miss(check.pk, run.pk)
    assert PresenceCheck.objects.get().missed_at is None


def test_no_verdict_is_no_certificate_and_the_next_verifier_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    run = make_run(1)
    Step.objects.update(state=Step.State.SPARED, spared_because="protected", done_at=run.started_at)
    assert finish(run.pk)

    def fails(run_id: object) -> None:
        raise NotVerified("took-too-long")

    with monkeypatch.context() as patched:
        patched.setattr(certifying, "verify_in_subprocess", fails)
        assert not certify(run.pk)
    assert not Entry.objects.filter(run=run.pk, action__in=["run.verified", "certificate.issued"]).exists()
    monkeypatch.setattr(certifying, "FIRST_WAIT", timedelta(hours=1))
    assert not certify(run.pk), "the next verifier is not due"
    monkeypatch.setattr(certifying, "FIRST_WAIT", timedelta(0))
    assert certify(run.pk)
