"""A call for the doctor is repeated and escalated until somebody answers, whoever is killed meanwhile."""

import smtplib

import pytest
from django.conf import settings
from django.core import mail
from django.db import transaction

from clinic.accounts.models import Role, User
from erasure.jobs.supervisor import end_stopped
from erasure.jobs.worker import advance
from erasure.runs import calls, control
from erasure.runs.call_alerts import WHY
from erasure.runs.models import CallNotice, DoctorCall, Run
from erasure.runs.run_actions import after, lock
from tests.erasure.runs.nights import acts, doctor_of, due_now, kinds, technician_of
from tests.factories import make_doctor, make_run, make_user
from tests.house import house, until

pytestmark = pytest.mark.django_db(transaction=True)


def told(run: Run) -> list[tuple[str, str]]:
    """Who was told in which round: (address, kind)."""
    rows = CallNotice.objects.filter(call__run=run).order_by("at", "pk")
    return [(row.user.email, row.kind) for row in rows.select_related("user")]


def written_to() -> list[str]:
    return [message.to[0] for message in mail.outbox]


def test_the_doctor_of_the_night_is_told_at_once_and_nobody_is_named() -> None:
    run = make_run(1)
    make_doctor()
    assert control.call_doctor(run.pk, by=technician_of(run)).changed
    assert told(run) == [(doctor_of(run).email, "first")]
    assert calls.send_due() == 1
    assert calls.send_due() == 0
    (message,) = mail.outbox
    said = message.subject + message.body
    case = run.procedure.case
    for secret in (case.patient.name, "Clementine", case.reference, technician_of(run).name, str(run.pk)):
        assert secret not in said


def test_calling_twice_is_one_call() -> None:
    run = make_run(1)
    control.call_doctor(run.pk, by=technician_of(run))
    assert not control.call_doctor(run.pk, by=run.procedure.case.patient).changed
    assert DoctorCall.objects.count() == 1
    assert kinds(run).count("doctor-called") == 1


def test_whoever_was_told_is_told_again_until_somebody_answers() -> None:
    run = make_run(1)
    control.call_doctor(run.pk, by=None)
    assert calls.remind_due() == 0, "nothing is due yet"
    for _round in range(2):
        due_now(run, remind=True)
        assert calls.remind_due() == 1
        assert calls.remind_due() == 0, "one round is one round"
    assert [kind for _who, kind in told(run)] == ["first", "again", "again"]
    assert acts(run, "call.told") == ["system:supervisor"] * 3
    calls.acknowledge(run.pk, by=doctor_of(run))
    DoctorCall.objects.update(remind_at=after(-60), escalate_at=after(-60))
    assert calls.remind_due() == 0
    assert calls.send_due() == 0, "who has answered is not written to any more"


def test_when_nobody_answers_every_other_doctor_and_the_administrators_are_told() -> None:
    run = make_run(1)
    patient_and_doctor = run.procedure.case.patient
    patient_and_doctor.grants.create(role=Role.DOCTOR)
    other, boss = make_doctor(), make_user(Role.ADMINISTRATOR)
    closed, desk = make_user(Role.DOCTOR, is_active=False), make_user(Role.RECEPTIONIST)
    control.call_doctor(run.pk, by=technician_of(run))
    due_now(run, escalate=True)
    calls.remind_due()
    new = {who for who, kind in told(run) if kind == "escalated"}
    # Making the night made one more doctor, who locked its map.
    others = set(
        User.objects.filter(grants__role=Role.DOCTOR, is_active=True)
        .exclude(pk__in=[patient_and_doctor.pk, doctor_of(run).pk])
        .values_list("email", flat=True)
    )
    assert {other.email, boss.email} <= new
    assert new == others | {boss.email}
    assert not new & {patient_and_doctor.email, closed.email, desk.email}
    due_now(run, remind=True)
    calls.remind_due()
    assert kinds(run)[-2:] == ["doctor-escalated", "doctor-called-again"]
    assert {who for who, kind in told(run) if kind == "again"} == new | {doctor_of(run).email}


def test_a_night_without_another_doctor_escalates_at_once() -> None:
    run = make_run(1)
    boss = make_user(Role.ADMINISTRATOR)
    control.call_doctor(run.pk, by=doctor_of(run))
    calls.remind_due()
    assert boss.email in {who for who, kind in told(run) if kind == "escalated"}


def test_the_call_outlives_the_night() -> None:
    run = make_run(1)
    control.safe_word(run.pk, by=run.procedure.case.patient)
    control.abort(run.pk, by=doctor_of(run), reason="medical")
    calls_open = DoctorCall.objects.filter(acknowledged_at__isnull=True)
    end_stopped()
    run.refresh_from_db()
    assert run.state == Run.State.FINISHED
    assert calls_open.get().why == "safe-word"
    due_now(run, remind=True)
    assert calls.remind_due() == 1
    assert calls.acknowledge(run.pk, by=doctor_of(run)).changed


def test_the_second_who_answers_is_told_so() -> None:
    run = make_run(1)
    with pytest.raises(control.NotNow):
        calls.acknowledge(run.pk, by=doctor_of(run))
    control.call_doctor(run.pk, by=None)
    assert calls.acknowledge(run.pk, by=doctor_of(run)).changed
    assert not calls.acknowledge(run.pk, by=make_doctor()).changed
    assert acts(run, "run.doctor-acknowledged") == [f"user:{doctor_of(run).pk}"]


def test_mail_that_fails_is_sent_later(monkeypatch: pytest.MonkeyPatch) -> None:
    run = make_run(1)
    control.call_doctor(run.pk, by=None)

    def refuse(*_all: object) -> None:
        raise smtplib.SMTPServerDisconnected

    with monkeypatch.context() as broken:
        broken.setattr(calls, "send_mail", refuse)
        assert calls.send_due() == 0
    assert calls.send_due() == 0, "another sender leaves it alone for a while"
    CallNotice.objects.update(taken_until=after(-1))
    assert calls.send_due() == 1
    assert written_to() == [doctor_of(run).email]


def test_a_safe_word_makes_a_call_about_a_copy_pressing() -> None:
    run = make_run(1)
    with transaction.atomic():
        calls.open_call(lock(run.pk), by=None, why=DoctorCall.Why.HOLD)
    control.safe_word(run.pk, by=run.procedure.case.patient)
    assert DoctorCall.objects.get().why == "safe-word"
    assert calls.remind_due() == 1, "and the doctor is told again at once"


@pytest.mark.processes
def test_a_killed_supervisor_stalls_no_call(settings: settings) -> None:
    run = make_run(1)
    boss = make_user(Role.ADMINISTRATOR)
    control.pause(run.pk, by=None)
    with house() as processes:
        pace = {"LACUNA_CALL_AGAIN_SECONDS": "1", "LACUNA_CALL_ESCALATE_SECONDS": "2"}
        settings.LACUNA_CALL_AGAIN_SECONDS, settings.LACUNA_CALL_ESCALATE_SECONDS = 1, 2
        first = processes.supervisor(**pace)
        control.call_doctor(run.pk, by=None)
        sent = CallNotice.objects.filter(call__run=run, sent_at__isnull=False)
        until(lambda: sent.filter(kind="first").exists(), "the first message goes out")
        first.kill()
        first.wait()
        before = sent.count()
        processes.supervisor(**pace)
        until(lambda: sent.filter(kind="escalated", user=boss).exists(), "the next one goes on and escalates")
        until(lambda: sent.filter(kind="again").count() > 2, "and goes on telling them")
        assert sent.count() > before
        calls.acknowledge(run.pk, by=doctor_of(run))
        count = CallNotice.objects.count()
    assert CallNotice.objects.count() == count


def test_the_work_goes_on_while_the_doctor_is_called() -> None:
    run = make_run(1)
    control.call_doctor(run.pk, by=None)
    advance(run.pk)
    run.refresh_from_db()
    assert run.state == Run.State.FINISHED


def test_every_reason_of_a_call_has_words_on_every_page() -> None:
    assert set(WHY) == set(DoctorCall.Why.values)
